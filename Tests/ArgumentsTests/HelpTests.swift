import System
import Testing

@testable import Arguments

@Suite struct HelpTests {
  private static let all: [(name: String, text: String)] =
    [("imgate", Help.program)] + CommandName.allCases.map { ($0.rawValue, Help.of($0)) }

  @Test func `no line is longer than 80 columns, and none ends in a space`() {
    for (name, text) in Self.all {
      for line in text.split(separator: "\n") {
        #expect(line.count <= 80, "\(name)")
        #expect(line.last != " ", "\(name)")
      }
    }
  }

  @Test(arguments: CommandName.allCases)
  func `every command tells what it does, its options, an example and its exit status`(
    command: CommandName
  ) {
    let description = CommandDescription.of(command)
    #expect(description.name == command)
    #expect(!description.paragraphs.isEmpty)
    #expect(!description.exitNotes.isEmpty)
    #expect(description.examples.first?.line.hasPrefix("imgate \(command.rawValue)") == true)
    #expect(Help.program.contains("  \(command.rawValue) "))
  }

  /// docs/help/ holds the texts as they are printed; IMGATE_WRITE_HELP=1 writes them anew.
  @Test func `the help texts are those in docs/help`() throws {
    let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    for (name, text) in Self.all {
      let path = "/\(root)/docs/help/\(name).txt"
      if Environment["IMGATE_WRITE_HELP"] != nil { try File.replace(path, with: Array(text.utf8)) }
      let written = String(decoding: try File.read(path), as: UTF8.self)
      #expect(written == text, "\(name): set IMGATE_WRITE_HELP=1 and look at the difference")
    }
  }
}
