using System.Net;
using System.Text;
using System.Text.Json;

namespace Millrace.Crash.Shop;

/// <summary>The Shop's HTTP interface as a stranger sees it: nothing of its code is used here.</summary>
internal sealed class ShopClient(HttpClient http)
{
    public async Task<bool> IsReadyAsync()
    {
        try
        {
            using var answer = await http.GetAsync("/health/ready");
            return answer.IsSuccessStatusCode;
        }
        catch (Exception failure) when (IsOfTheWorld(failure))
        {
            return false;
        }
    }

    /// <summary>Places an order; null when the outcome is unknown. Throws when the Shop refuses what it should take.</summary>
    public async Task<string?> TryPlaceAsync(string key, string body)
    {
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, "/api/orders");
            request.Content = new StringContent(body, Encoding.UTF8, "application/json");
            request.Headers.Add("Idempotency-Key", key);
            using var answer = await http.SendAsync(request);
            var text = await answer.Content.ReadAsStringAsync();
            if (answer.StatusCode >= HttpStatusCode.InternalServerError || answer.StatusCode == HttpStatusCode.TooManyRequests) return null;
            if (!answer.IsSuccessStatusCode)
                throw new InvalidDataException($"The order {body} was answered with {(int)answer.StatusCode}: {text}");
            using var json = JsonDocument.Parse(text);
            return json.RootElement.GetProperty("orderId").GetString();
        }
        catch (Exception failure) when (IsOfTheWorld(failure))
        {
            return null;
        }
    }

    public async Task PutStockAsync(string sku, int available, decimal price)
    {
        var json = FormattableString.Invariant($"{{\"available\":{available},\"price\":{price}}}");
        using var body = new StringContent(json, Encoding.UTF8, "application/json");
        using var answer = await http.PutAsync($"/api/inventory/{sku}", body);
        var text = await answer.Content.ReadAsStringAsync();
        if (!answer.IsSuccessStatusCode)
            throw new InvalidDataException($"PUT /api/inventory/{sku} was answered with {(int)answer.StatusCode}: {text}");
    }

    public async Task<JsonElement> GetAsync(string path)
    {
        using var answer = await http.GetAsync(path);
        var text = await answer.Content.ReadAsStringAsync();
        if (!answer.IsSuccessStatusCode) throw new InvalidDataException($"GET {path} was answered with {(int)answer.StatusCode}: {text}");
        using var json = JsonDocument.Parse(text);
        return json.RootElement.Clone();
    }

    /// <summary>Every item of a paged list.</summary>
    public async Task<IReadOnlyList<JsonElement>> GetAllAsync(string path)
    {
        var items = new List<JsonElement>();
        for (var page = 1; ; page++)
        {
            var answer = await GetAsync($"{path}?page={page}&pageSize=200");
            items.AddRange(answer.GetProperty("items").EnumerateArray());
            if (items.Count >= answer.GetProperty("total").GetInt32() || answer.GetProperty("items").GetArrayLength() == 0) return items;
        }
    }

    private static bool IsOfTheWorld(Exception failure) =>
        failure is HttpRequestException or OperationCanceledException or IOException or JsonException;
}
