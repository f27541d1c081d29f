using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using Shop.Inventory;
using Shop.Orders;

namespace Shop.Customers;

/// <summary>One line of an invoice that can be ordered.</summary>
internal readonly record struct RetailLine(string Invoice, string Sku, int Quantity, decimal Price, string CustomerId, string Country);

/// <summary>A line as it was read: one that can be ordered, or the reason why it cannot.</summary>
internal readonly record struct RetailRead(RetailLine Line, string? Rejection, long Position);

/// <summary>
/// Reads the "Online Retail" format (InvoiceNo, StockCode, Description, Quantity, InvoiceDate, UnitPrice, CustomerID, Country; RFC 4180
/// quotes), line by line. A line that cannot be ordered is given with its reason, the first that applies, and never fatal.
/// </summary>
internal static class RetailCsv
{
    public const string Malformed = "MALFORMED";
    public const string Cancellation = "CANCELLATION";
    public const string BadQuantity = "QUANTITY";
    public const string BadPrice = "PRICE";
    public const string BadSku = "SKU";

    private const int Columns = 8;

    /// <summary>A record may have line breaks in its quotes; beyond so many characters a quote was never closed.</summary>
    private const int RecordCharactersMax = 64 * 1024;

    /// <summary>Reads a stream to its end. The first record is the header and not given.</summary>
    public static async IAsyncEnumerable<RetailRead> ReadAsync(Stream stream, [EnumeratorCancellation] CancellationToken cancellation)
    {
        using var reader = new StreamReader(
            stream, Encoding.UTF8, detectEncodingFromByteOrderMarks: true, bufferSize: 64 * 1024, leaveOpen: true);
        var isHeader = true;
        while (await reader.ReadLineAsync(cancellation) is { } line)
        {
            while (IsOpen(line) && line.Length < RecordCharactersMax && await reader.ReadLineAsync(cancellation) is { } more)
                line += "\n" + more;
            if (line.Length == 0) continue;
            if (!isHeader) yield return Judge(line, stream.CanSeek ? stream.Position : 0);
            isHeader = false;
        }
    }

    /// <summary>The fields of one record; null when a quote is not closed.</summary>
    public static List<string>? Split(string record)
    {
        var fields = new List<string>(Columns);
        var field = new StringBuilder();
        var at = 0;
        while (true)
        {
            if (at < record.Length && record[at] == '"')
            {
                at++;
                while (true)
                {
                    var quote = record.IndexOf('"', at);
                    if (quote < 0) return null;
                    field.Append(record, at, quote - at);
                    at = quote + 1;
                    if (at >= record.Length || record[at] != '"') break;
                    field.Append('"');
                    at++;
                }
            }

            // Real files hold quotes in the middle of unquoted fields (7" RECORD FRAME); there they stand for themselves.
            var comma = record.IndexOf(',', at);
            field.Append(record, at, (comma < 0 ? record.Length : comma) - at);
            fields.Add(field.ToString());
            field.Clear();
            if (comma < 0) return fields;
            at = comma + 1;
        }
    }

    /// <summary>True when a record goes on in the next line: a field began with a quote that is not closed.</summary>
    private static bool IsOpen(string record) => record.Contains('"', StringComparison.Ordinal) && Split(record) is null;

    private static RetailRead Judge(string record, long position)
    {
        RetailRead Rejected(string reason) => new(default, reason, position);

        if (Split(record) is not { Count: Columns } fields) return Rejected(Malformed);
        var invoice = fields[0].Trim();
        if (invoice.Length is 0 or > 40 || !invoice.All(char.IsAsciiLetterOrDigit)) return Rejected(Malformed);
        if (invoice[0] is 'C' or 'c') return Rejected(Cancellation);
        if (!int.TryParse(fields[3], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var quantity))
            return Rejected(BadQuantity);
        if (quantity is < 1 or > PlaceOrder.QuantityMax) return Rejected(BadQuantity);
        if (!decimal.TryParse(fields[5], NumberStyles.Float, CultureInfo.InvariantCulture, out var price)) return Rejected(BadPrice);
        var sku = fields[1].Trim();
        var asked = SetStock.Check(new StockSet { Sku = sku, Available = 0, Price = price });
        if (asked.Errors.ContainsKey("price")) return Rejected(BadPrice);
        if (!asked.IsEmpty) return Rejected(BadSku);
        var customer = fields[6].Trim();
        var country = fields[7].Trim();
        return new RetailRead(
            new RetailLine(invoice, sku, quantity, price, Name(customer, "GUEST"), Name(country, "Unspecified")), null, position);
    }

    private static string Name(string text, string fallback) =>
        text.Length is 0 or > 100 || text.Any(char.IsControl) || text.Any(char.IsSurrogate) ? fallback : text;
}
