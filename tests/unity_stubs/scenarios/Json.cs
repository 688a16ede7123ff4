using System;
using System.Collections.Generic;
using System.Globalization;
using System.Text;

/// <summary>One JSON object per line on standard output, for the Python test.</summary>
internal sealed class Json
{
    private readonly StringBuilder _text = new StringBuilder("{");

    public Json Add(string key, double value)
    {
        return Raw(key, value.ToString("R", CultureInfo.InvariantCulture));
    }

    public Json Add(string key, bool value) { return Raw(key, value ? "true" : "false"); }

    public Json Add(string key, string value)
    {
        return Raw(key, "\"" + value.Replace("\\", "\\\\").Replace("\"", "\\\"").Replace("\n", "\\n") + "\"");
    }

    public Json Add(string key, IEnumerable<double> values)
    {
        List<string> parts = new List<string>();
        foreach (double value in values) parts.Add(value.ToString("R", CultureInfo.InvariantCulture));
        return Raw(key, "[" + string.Join(",", parts.ToArray()) + "]");
    }

    public Json Add(string key, IEnumerable<string> values)
    {
        List<string> parts = new List<string>();
        foreach (string value in values) parts.Add("\"" + value.Replace("\"", "'").Replace("\n", " ") + "\"");
        return Raw(key, "[" + string.Join(",", parts.ToArray()) + "]");
    }

    public void Print()
    {
        Console.WriteLine(_text + "}");
        Console.Out.Flush();
    }

    private Json Raw(string key, string value)
    {
        if (_text.Length > 1) _text.Append(',');
        _text.Append('"').Append(key).Append("\":").Append(value);
        return this;
    }
}
