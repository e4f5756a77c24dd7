import Testing

@testable import WeirBalance

@Suite("SipHash-2-4")
struct SipHashTests {
    private static let key: (UInt64, UInt64) = (0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908)

    // The vectors of the authors' reference implementation, and the example of the paper's appendix A.
    @Test(
        "it hashes as its authors' program does",
        arguments: [
            (0, 0x726f_db47_dd0e_0e31), (1, 0x74f8_39c5_93dc_67fd), (7, 0xab02_00f5_8b01_d137),
            (8, 0x93f5_f579_9a93_2462), (15, 0xa129_ca61_49be_45e5), (16, 0x3f2a_cc7f_57c2_9bdb),
        ] as [(UInt8, UInt64)])
    func vectors(count: UInt8, hash: UInt64) {
        #expect(SipHash.hash((0..<count).map { $0 }, key: Self.key) == hash)
    }

    @Test("two words are their sixteen bytes")
    func words() {
        #expect(
            SipHash.hash(Self.key.0, Self.key.1, key: Self.key) == SipHash.hash((0..<16).map { $0 }, key: Self.key))
    }
}
