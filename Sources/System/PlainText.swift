/// Words that somebody else chose (a device's name, a host, a note), made fit to be shown.
///
/// A terminal obeys control bytes and some scalars turn the text around them; neither may come from
/// a client. What can't be shown as itself is shown escaped, as `\x1b` or `\u202e`.
public enum PlainText {
  /// `bytes` as printable text, at most `limit` scalars long.
  ///
  /// Bytes that are not UTF-8 become U+FFFD. Invisible joiners and variation selectors are left
  /// out, since a column's width could not be told with them.
  public static func clean(_ bytes: [UInt8], limit: Int = 255) -> String {
    clean(String(decoding: bytes, as: UTF8.self), limit: limit)
  }

  /// `text` with everything escaped that is not printable, at most `limit` scalars long.
  public static func clean(_ text: String, limit: Int = 255) -> String {
    var isPlain = text.utf8.count <= limit
    for byte in text.utf8 where byte < 0x20 || byte > 0x7e { isPlain = false }
    if isPlain { return text }

    var result = ""
    var length = 0
    var marks = 0
    for scalar in text.unicodeScalars {
      if length >= limit {
        result += "…"
        break
      }
      if isInvisible(scalar) { continue }
      if isCombining(scalar) {
        // Piles of marks reach into the lines above and below.
        marks += 1
        if marks > 2 || length == 0 { continue }
        result.unicodeScalars.append(scalar)
        continue
      }
      marks = 0
      length += 1
      if isPrintable(scalar) {
        result.unicodeScalars.append(scalar)
      } else {
        result += escape(scalar)
      }
    }
    return result
  }

  /// How many columns of a terminal `text` takes: 2 for a wide East Asian character or a picture.
  public static func columns(_ text: String) -> Int {
    var columns = 0
    for scalar in text.unicodeScalars { columns += width(scalar) }
    return columns
  }

  /// How many columns `scalar` takes: 0, 1 or 2 (Unicode's East_Asian_Width, wide and full-width).
  public static func width(_ scalar: Unicode.Scalar) -> Int {
    if isCombining(scalar) || isInvisible(scalar) { return 0 }
    switch scalar.value {
    case 0x1100...0x115f, 0x2e80...0x303e, 0x3041...0x33ff, 0x3400...0x4dbf, 0x4e00...0x9fff,
      0xa000...0xa4cf, 0xa960...0xa97f, 0xac00...0xd7a3, 0xf900...0xfaff, 0xfe30...0xfe6f,
      0xff00...0xff60, 0xffe0...0xffe6, 0x16fe0...0x18aff, 0x1b000...0x1b2ff, 0x1f004, 0x1f0cf,
      0x1f18e, 0x1f191...0x1f19a, 0x1f200...0x1f320, 0x1f32d...0x1f335, 0x1f337...0x1f37c,
      0x1f37e...0x1f393, 0x1f3a0...0x1f3ca, 0x1f3cf...0x1f3d3, 0x1f3e0...0x1f3f0, 0x1f3f4,
      0x1f3f8...0x1f43e, 0x1f440, 0x1f442...0x1f4fc, 0x1f4ff...0x1f53d, 0x1f54b...0x1f54e,
      0x1f550...0x1f567, 0x1f57a, 0x1f595...0x1f596, 0x1f5a4, 0x1f5fb...0x1f64f,
      0x1f680...0x1f6c5, 0x1f6cc, 0x1f6d0...0x1f6d2, 0x1f6d5...0x1f6d7, 0x1f6dc...0x1f6df,
      0x1f6eb...0x1f6ec, 0x1f6f4...0x1f6fc, 0x1f7e0...0x1f7eb, 0x1f7f0, 0x1f90c...0x1f93a,
      0x1f93c...0x1f945, 0x1f947...0x1f9ff, 0x1fa70...0x1faff, 0x20000...0x3fffd,
      0x231a...0x231b, 0x23e9...0x23ec, 0x23f0, 0x23f3, 0x25fd...0x25fe, 0x2614...0x2615,
      0x2648...0x2653, 0x267f, 0x2693, 0x26a1, 0x26aa...0x26ab, 0x26bd...0x26be, 0x26c4...0x26c5,
      0x26ce, 0x26d4, 0x26ea, 0x26f2...0x26f3, 0x26f5, 0x26fa, 0x26fd, 0x2705, 0x270a...0x270b,
      0x2728, 0x274c, 0x274e, 0x2753...0x2755, 0x2757, 0x2795...0x2797, 0x27b0, 0x27bf,
      0x2b1b...0x2b1c, 0x2b50, 0x2b55:
      return 2
    default:
      return 1
    }
  }

  /// Whether a terminal shows `scalar` as itself and nothing else happens.
  public static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0..<0x20, 0x7f...0x9f: false  // C0, DEL, C1 (8-bit CSI and OSC)
    case 0xad, 0x61c, 0x70f, 0x180e: false  // soft hyphen, marks without a glyph
    case 0x200b...0x200f, 0x2028...0x202e, 0x2060...0x206f, 0xfeff: false  // direction, line ends
    case 0x2000...0x200a, 0xa0, 0x202f, 0x205f, 0x3000, 0x115f, 0x1160, 0x3164, 0xffa0: false
    case 0xe000...0xf8ff, 0xf0000...: false  // private use
    case 0xfdd0...0xfdef, 0xfff0...0xfffb: false  // not characters
    case 0xe0000...0xeffff: false  // tags
    default: scalar.value & 0xfffe != 0xfffe
    }
  }

  /// Joiners and selectors that only change how their neighbours look.
  private static func isInvisible(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x200c, 0x200d, 0xfe00...0xfe0f, 0x180b...0x180d, 0xe0100...0xe01ef: true
    default: false
    }
  }

  private static func isCombining(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x300...0x36f, 0x483...0x489, 0x591...0x5bd, 0x610...0x61a, 0x64b...0x65f, 0x93c, 0x94d,
      0xe31, 0xe34...0xe3a, 0xe47...0xe4e, 0x1ab0...0x1aff, 0x1dc0...0x1dff, 0x20d0...0x20ff,
      0x302a...0x302d, 0x3099...0x309a, 0xfe20...0xfe2f:
      true
    default: false
    }
  }

  private static func escape(_ scalar: Unicode.Scalar) -> String {
    let digits = String(scalar.value, radix: 16)
    let size = scalar.value < 0x100 ? 2 : 4
    var zeros = ""
    for _ in 0..<max(0, size - digits.utf8.count) { zeros += "0" }
    return (scalar.value < 0x100 ? "\\x" : "\\u") + zeros + digits
  }
}
