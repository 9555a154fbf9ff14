internal import System
internal import Usage
internal import Wire

/// A report as comma-separated values (RFC 4180) for a spreadsheet: one line for each device, host,
/// rule and outcome; docs/report.md names the columns.
public enum CSVReport {
  /// The report on `data`.
  public static func render(_ data: ReportData) -> String {
    var text =
      "from,to,mac,device,service,rule,host,verdict,reason,connections,packets_up,packets_down,"
      + "bytes_up,bytes_down\r\n"
    for detail in data.details {
      let cells = [
        data.first.text, data.last.text,
        detail.mac == .unknown ? "" : detail.mac.text, cell(detail.device), cell(detail.service),
        cell(detail.rule), cell(detail.host), detail.verdict.rawValue, cell(detail.reason),
        String(detail.counts.connections), String(detail.counts.packetsUp),
        String(detail.counts.packetsDown), String(detail.counts.bytesUp),
        String(detail.counts.bytesDown),
      ]
      text += cells.joined(separator: ",") + "\r\n"
    }
    return text
  }

  /// A cell: printable, quoted where it has to be, and never a formula.
  private static func cell(_ value: String) -> String {
    var value = PlainText.clean(value)
    // Spreadsheets run what begins like this, and a client chose the words.
    if let first = value.utf8.first, "=+-@".utf8.contains(first) { value = "'" + value }
    var needsQuotes = false
    var quoted = ""
    for scalar in value.unicodeScalars {
      if scalar == "\"" || scalar == "," { needsQuotes = true }
      if scalar == "\"" { quoted += "\"" }
      quoted.unicodeScalars.append(scalar)
    }
    return needsQuotes ? "\"\(quoted)\"" : value
  }
}
