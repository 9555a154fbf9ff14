internal import CSystem
internal import System

/// A capture in a file, which is read piece by piece: its size doesn't matter.
public enum CaptureFile {
  /// Bytes that are read at once.
  private static let piece = 256 << 10

  /// Hands each packet of the file at `path` to `body`, in order: what the capture says of it, and
  /// its bytes from the link header on.
  ///
  /// Throws where the file is broken; what came before has been handed over.
  public static func forEachPacket(
    _ path: String, _ body: (CapturedPacket, RawSpan) -> Void
  ) throws(CaptureError) {
    let file: FileDescriptor
    do throws(SystemError) {
      file = try FileDescriptor.open(path, O_RDONLY)
    } catch {
      throw .system(error)
    }
    var reader = CaptureReader()
    while true {
      switch try reader.next() {
      // Span.bytes of the buffer's own span; the range is the reader's.
      case .packet(let packet):
        unsafe body(packet, reader.buffer.span.bytes.extracting(packet.bytes))
      case .needMore:
        do throws(SystemError) {
          reader.append(try file.read(atMost: piece))
        } catch {
          throw .system(error)
        }
      case .end: return
      }
    }
  }
}
