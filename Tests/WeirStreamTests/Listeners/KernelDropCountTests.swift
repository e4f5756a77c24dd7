import Testing

@testable import WeirStream

@Suite struct KernelDropCountTests {
    @Test func `each drop is counted once, whichever source tells it first`() {
        var count = KernelDropCount()
        #expect(count.note(0) == 0)
        #expect(count.note(5) == 5)
        #expect(count.note(5) == 0)
        // Asked for while datagrams wait that came before the last drops: their totals are old news.
        #expect(count.note(100) == 95)
        #expect(count.note(50) == 0)
        #expect(count.note(100) == 0)
        #expect(count.note(101) == 1)
    }

    @Test func `the total wraps around, at 31 or at 32 bits`() {
        var count = KernelDropCount()
        #expect(count.note(0x3fff_ffff) == 0x3fff_ffff)
        #expect(count.note(0x7fff_fffe) == 0x3fff_ffff)
        #expect(count.note(3) == 5)
        #expect(count.note(0x8000_0004) == 1)
        #expect(count.note(0x7fff_ffff) == 0)
    }
}
