import CSystem
import Testing

@testable import System

@Suite struct FileTests {
  @Test func `a file is replaced as a whole and nothing is left beside it`() throws {
    let directory = try TemporaryDirectory()
    let path = directory.path + "/file"
    try File.replace(path, with: Array("old, and longer".utf8))
    try File.replace(path, with: Array("new".utf8), mode: 0o600)
    #expect(try File.read(path) == Array("new".utf8))
    #expect(try Directory.entries(directory.path) == ["file"])
    var status = stat()
    try #require(unsafe stat(path, &status) == 0)
    #expect(status.st_mode & 0o777 == 0o600)
  }

  @Test func `a directory that isn't there makes replace fail and leave nothing`() {
    expectFailure(ENOENT) { () throws(SystemError) in
      try File.replace("/nonexistent/file", with: [])
    }
  }

  @Test func `a file over the limit is refused, one of exactly the limit is not`() throws {
    let directory = try TemporaryDirectory()
    let path = directory.path + "/file"
    try File.replace(path, with: [UInt8](repeating: 0, count: 100))
    #expect(try File.read(path, limit: 100).count == 100)
    expectFailure(EFBIG) { () throws(SystemError) in _ = try File.read(path, limit: 99) }
  }

  @Test func `missing parents are made, and what is there is no error`() throws {
    let directory = try TemporaryDirectory()
    let path = directory.path + "/a"
    try Directory.make(path + "/b")
    try Directory.make(path + "/b")
    #expect(Directory.exists(path + "/b"))
    #expect(!Directory.exists(path + "/c"))
    unsafe rmdir(path + "/b")
    unsafe rmdir(path)
  }

  @Test(arguments: [
    ("/etc/imgate/rules.yaml", "/etc/imgate"), ("/rules.yaml", "/"), ("rules.yaml", "."),
    ("rules/rules.yaml", "rules"),
  ])
  func `the directory of a path is what comes before its last slash`(path: String, parent: String) {
    #expect(Path.directory(of: path) == parent)
  }
}
