using System.Text;
using Millrace.Log;
using Shop.Notifications;
using Shop.Orders;

namespace Shop.Tests;

public sealed class MailTests
{
    private static readonly OrderConfirmed Order = new()
    {
        OrderId = "ORD-1",
        CustomerId = "CUST-789",
        Items = [new OrderLine { Sku = "PROD-001", Quantity = 2, Price = 29.99m }],
        TotalAmount = 59.98m,
        ShippingAddress = new Address { Street = "Hauptstraße 5", City = "Berlin", Country = "DE" },
    };

    [Fact]
    public void A_mail_is_an_internet_message_with_customer_items_and_total()
    {
        var text = Encoding.UTF8.GetString(Mail.Compose(Order, "USD", new DateTimeOffset(2026, 1, 25, 10, 30, 5, TimeSpan.Zero)));

        Assert.DoesNotContain("\n", text.Replace("\r\n", "", StringComparison.Ordinal), StringComparison.Ordinal);
        Assert.StartsWith(
            "From: The Shop <orders@shop.example>\r\nTo: <CUST-789@customers.shop.example>\r\nSubject: Your order ORD-1 is confirmed\r\n" +
            "Date: Sun, 25 Jan 2026 10:30:05 +0000\r\nMessage-ID: <ORD-1@shop.example>\r\n", text, StringComparison.Ordinal);
        Assert.Contains("\r\n\r\nDear customer CUST-789,\r\n", text, StringComparison.Ordinal);
        Assert.Contains("  2 x PROD-001 at 29.99 = 59.98 USD\r\n", text, StringComparison.Ordinal);
        Assert.Contains("Total: 59.98 USD\r\n", text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_customer_cannot_write_headers()
    {
        var text = Encoding.UTF8.GetString(
            Mail.Compose(Order with { CustomerId = "a\r\nBcc: all@example.org" }, "USD", DateTimeOffset.UnixEpoch));

        Assert.DoesNotContain("\r\nBcc", text, StringComparison.Ordinal);
        Assert.Contains("To: <a=000D=000ABcc=003A=0020all=0040example=002Eorg@customers.shop.example>\r\n", text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("ORD-20260125-ABC", true)]
    [InlineData("../ORD", false)]
    [InlineData("a/b", false)]
    [InlineData("", false)]
    [InlineData("a.eml", false)]
    public void An_order_id_is_checked_before_it_names_a_file(string orderId, bool isFileName) =>
        Assert.Equal(isFileName, SendConfirmation.IsFileName(orderId));

    [Fact]
    public async Task A_mail_written_again_is_one_mail_also_after_a_restart_which_clears_halves_away()
    {
        using var folder = new TemporaryFolder();
        await using (var room = await OpenAsync(folder, "a"))
        {
            await Task.WhenAll(Enumerable.Range(0, 50).Select(i => room.WriteAsync($"ORD-{i % 10}", [1, 2], RunningShop.Patience)));
        }

        await File.WriteAllTextAsync(Path.Combine(folder.Path, "ORD-99.a.tmp"), "half", RunningShop.Patience);
        await using var again = await OpenAsync(folder, "a");
        var file = await again.WriteAsync("ORD-3", [1, 2], RunningShop.Patience);

        Assert.Equal("ORD-3.eml", file);
        Assert.Equal(
            Enumerable.Range(0, 10).Select(i => $"ORD-{i}.eml"),
            Directory.GetFiles(folder.Path).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Mail_rooms_that_share_a_folder_leave_what_the_other_writes()
    {
        using var folder = new TemporaryFolder();
        var half = Path.Combine(folder.Path, "ORD-99.a.tmp");
        await File.WriteAllTextAsync(half, "half", RunningShop.Patience);

        await using var other = await OpenAsync(folder, "b");

        Assert.True(File.Exists(half));
    }

    private static async Task<MailRoom> OpenAsync(TemporaryFolder folder, string writer)
    {
        var room = new MailRoom(new MailRoomOptions { Directory = folder.Path, Writer = writer, IsSynced = true }, new FileStorage());
        await room.StartAsync(RunningShop.Patience);
        return room;
    }
}
