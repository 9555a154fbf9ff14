/// The bytes of an HTTP/1.1 request: `httpRequest(host: "short.weixin.qq.com")`.
///
/// `fields` follow the Host line as they are, `body` follows the head with its Content-Length.
public func httpRequest(
  _ method: String = "GET", _ target: String = "/", host: String?, fields: [String] = [],
  body: String? = nil, version: String = "HTTP/1.1"
) -> [UInt8] {
  var lines = ["\(method) \(target) \(version)"]
  if let host { lines.append("Host: \(host)") }
  lines += fields
  if let body { lines.append("Content-Length: \(body.utf8.count)") }
  return .ascii(lines.joined(separator: "\r\n") + "\r\n\r\n" + (body ?? ""))
}

/// The bytes of an HTTP/1.1 response with a body.
public func httpResponse(status: String = "200 OK", body: String = "") -> [UInt8] {
  .ascii("HTTP/1.1 \(status)\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
}
