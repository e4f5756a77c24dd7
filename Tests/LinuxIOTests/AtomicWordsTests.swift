import LinuxIO
import TestSupport
import Testing

@Suite struct AtomicWordsTests {
    @Test func `words are zero at first, and each is its own`() {
        let words = AtomicWords(count: 3)
        #expect((0..<3).map { words.load($0) } == [0, 0, 0])
        #expect(words.add(1, 5) == 5)
        #expect(words.subtract(1, 2) == 3)
        words.storeOwn(2, .max)
        #expect((0..<3).map { words.loadOwn($0) } == [0, 3, .max])
        #expect(!words.replace(1, 4, with: 9))
        #expect(words.replace(1, 3, with: 9))
        #expect(words.load(1) == 9)
        // One below zero wraps to the maximum: counters must never get there.
        #expect(words.subtract(0, 1) == .max)
    }

    @Test func `a large table takes memory only where it is touched`() throws {
        func residentPages() throws -> Int {
            try #require(contents(of: "/proc/self/statm").split(separator: " ").dropFirst().first.flatMap { Int($0) })
        }
        let before = try residentPages()
        // 512 MiB.
        let words = AtomicWords(count: 64 << 20)
        #expect(words.load(words.count - 1) == 0)
        let touched = try residentPages() - before
        #expect(touched < 16_384 || Sanitizer.isPresent)
    }
}
