import Glibc
import TestSupport
import Testing

@testable import WeirProxy

struct LineWriterTests {
    /// A file that takes only so many more bytes, as on a full disk.
    private struct Disk {
        var room: Int
        var content = ""

        mutating func take(_ bytes: ArraySlice<UInt8>) -> Int {
            let part = bytes.prefix(room)
            room -= part.count
            content += String(decoding: part, as: UTF8.self)
            return part.count
        }
    }

    @Test("Wherever a write ends, each line is whole or missing, and what is missing is counted", arguments: 0...12)
    func shortWrites(room: Int) {
        var writer = LineWriter()
        var disk = Disk(room: room)
        var lost = writer.write(Array("one\ntwo\n".utf8)) { disk.take($0) }
        lost += writer.write(Array("six\n".utf8)) { disk.take($0) }
        disk.room = 100
        lost += writer.write(Array("ten\n".utf8)) { disk.take($0) }
        let lines = disk.content.split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines.last == "")
        #expect(lines.dropLast().allSatisfy { ["one", "two", "six", "ten"].contains($0) })
        #expect(lines.count - 1 + Int(lost) == 4)
        #expect(lines.dropLast().last == "ten")
    }

    @Test("The rest of a line does not go to another file")
    func otherFile() {
        var writer = LineWriter()
        var disk = Disk(room: 2)
        #expect(writer.write(Array("one\n".utf8)) { disk.take($0) } == 0)
        #expect(writer.forgetRest() == 1)
        var other = Disk(room: 100)
        #expect(writer.write(Array("two\n".utf8)) { other.take($0) } == 0)
        #expect(other.content == "two\n" && writer.forgetRest() == 0)
    }

    @Test("A file that ends amid a line, of a process that was killed, gets the end of that line first")
    func tornFile() throws {
        let folder = try TemporaryDirectory("torn")
        let path = try folder.write("torn.log", "half of a li")
        let log = try LogOutput(descriptor: 2, shardCount: 1, startsThread: false)
        let output = try LogOutput(file: LogFile(path), shardCount: 1, beside: log)
        output.write(line: Array("whole\n".utf8))
        output.close(within: .seconds(30))
        #expect(contents(of: path) == "half of a li\nwhole\n")
    }

    @Test("A file that is opened again is replaced only where the path is that of another one")
    func reopening() throws {
        let folder = try TemporaryDirectory("reopened")
        let file = try LogFile(folder.file("a.log"))
        #expect(file.takeReplacement() == .afterLine)
        try file.reopen()
        #expect(file.takeReplacement() == nil)
        #expect(rename(folder.file("a.log"), folder.file("b.log")) == 0)
        try file.reopen()
        #expect(file.takeReplacement() == .afterLine)
    }
}
