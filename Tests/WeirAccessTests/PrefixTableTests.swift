import LinuxIO
import NetworkTypes
import TestSupport
import Testing
import WeirAccess

struct PrefixTableTests {
    private func table(_ texts: [String]) throws -> PrefixTable {
        PrefixTable(
            try texts.enumerated().map { (prefix: try IPPrefix(parsing: $1), value: UInt32($0)) })
    }

    private func value(_ table: PrefixTable, _ text: String) throws -> UInt32? {
        table.value(around: try #require(IPAddress(text)))
    }

    @Test("The smallest block around an address is found, and beside it the larger ones go on")
    func nested() throws {
        let table = try table(["10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "10.1.2.3/32", "10.1.3.0/24", "12.0.0.0/6"])
        for (text, expected) in [
            ("9.255.255.255", nil), ("10.0.0.0", 0), ("10.0.255.255", 0), ("10.1.0.0", 1), ("10.1.2.0", 2),
            ("10.1.2.2", 2), ("10.1.2.3", 3), ("10.1.2.4", 2), ("10.1.3.0", 4), ("10.1.4.0", 1), ("10.2.0.0", 0),
            ("10.255.255.255", 0), ("11.0.0.0", nil), ("12.0.0.0", 5), ("15.255.255.255", 5), ("16.0.0.0", nil),
        ] as [(String, UInt32?)] {
            #expect(try value(table, text) == expected, "\(text)")
        }
    }

    @Test("Blocks that end together, and the last address of all, have the right neighbors")
    func ends() throws {
        let table = try table(["255.0.0.0/8", "255.255.255.0/24", "255.255.255.255/32", "0.0.0.0/0"])
        #expect(try value(table, "255.255.255.255") == 2)
        #expect(try value(table, "255.255.255.254") == 1)
        #expect(try value(table, "255.255.254.255") == 0)
        #expect(try value(table, "0.0.0.0") == 3)
        #expect(try value(table, "254.255.255.255") == 3)
    }

    @Test("IPv4 and IPv6 are apart, and a mapped address is IPv4")
    func families() throws {
        let table = try table(["::/0", "10.0.0.0/8", "::/96"])
        #expect(try value(table, "::ffff:10.0.0.1") == 1)
        #expect(try value(table, "11.0.0.1") == nil)
        #expect(try value(table, "::10.0.0.1") == 2)
        #expect(try value(table, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff") == 0)
    }

    @Test("Of a block that comes twice the first counts, and an empty table holds nothing")
    func twice() throws {
        let twice = try table(["10.0.0.0/8", "10.0.0.0/8", "10.0.0.0/9", "10.0.0.0/9"])
        #expect(try value(twice, "10.0.0.1") == 2)
        #expect(try value(twice, "10.200.0.1") == 0)
        #expect(try value(table([]), "10.0.0.1") == nil)
    }

    @Test("A table with very many blocks finds them, and nothing beside them")
    func manyBlocks() throws {
        let blocks = try (0..<10_000).map { number in
            try #require(IPPrefix(around: IPAddress(v4: UInt32(number) << 18 | 1 << 17), length: 30))
        }
        let table = PrefixTable(blocks.enumerated().map { (prefix: $1, value: UInt32($0)) })
        for (number, block) in blocks.enumerated() {
            let first = block.network.v4Bits
            #expect(table.value(around: IPAddress(v4: first - 1)) == nil)
            #expect(table.value(around: IPAddress(v4: first)) == UInt32(number))
            #expect(table.value(around: IPAddress(v4: first + 3)) == UInt32(number))
            #expect(table.value(around: IPAddress(v4: first + 4)) == nil)
        }
        #expect(table.value(around: IPAddress(v4: 0)) == nil)
        #expect(table.value(around: IPAddress(v4: .max)) == nil)
    }

    @Test("Random tables agree with a look at every block", arguments: [1, 2, 3, 4] as [UInt64])
    func againstEveryBlock(_ seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<40 {
            // Few bits are random, so that blocks nest and repeat.
            let mask =
                UInt64.random(in: 0...UInt64.max, using: &generator) & .random(in: 0...UInt64.max, using: &generator)
            func address(_ isIPv4: Bool) -> IPAddress {
                let bits = UInt64.random(in: 0...UInt64.max, using: &generator) & mask
                return isIPv4
                    ? IPAddress(v4: UInt32(truncatingIfNeeded: bits))
                    : IPAddress(high: bits, low: .random(in: 0...UInt64.max, using: &generator) & mask)
            }
            let prefixes = try (0..<60).map { _ in
                let isIPv4 = Bool.random(using: &generator)
                let address = address(isIPv4)
                return try #require(
                    IPPrefix(
                        around: address, length: .random(in: 0...(address.isIPv4 ? 32 : 128), using: &generator)))
            }
            let table = PrefixTable(prefixes.enumerated().map { (prefix: $1, value: UInt32($0)) })
            for _ in 0..<100 {
                let address = address(Bool.random(using: &generator))
                let smallest = prefixes.enumerated().filter { $1.contains(address) }
                    .max { ($0.element.length, -$0.offset) < ($1.element.length, -$1.offset) }
                #expect(table.value(around: address) == smallest.map { UInt32($0.offset) }, "\(address) \(prefixes)")
            }
        }
    }
}

struct AccessListMemoryTests {
    @Test("A list of 100,000 blocks, with all that is read for it, stays within 64 MB")
    func memory() throws {
        var generator = SeededGenerator(seed: 5)
        var text = ""
        for number in 0..<100_000 {
            let isIPv4 = number.isMultiple(of: 2)
            let address =
                isIPv4
                ? IPAddress(v4: .random(in: 0x0100_0000...0xdfff_ffff, using: &generator))
                : IPAddress(
                    high: .random(in: 1 << 61..<1 << 62, using: &generator),
                    low: .random(in: 0...(.max), using: &generator))
            let length = Int.random(in: isIPv4 ? 12...32 : 24...64, using: &generator)
            text += "\(try #require(IPPrefix(around: address, length: length)))\n"
        }
        let before = heapBytesInUse()
        let list = AccessList(AccessListFile(Array(text.utf8), name: "list.txt").entries)
        let used = heapBytesInUse() - before
        #expect(list.count == 100_000)
        #expect(used < 64_000_000, "\(used) bytes")
        // Under a sanitizer the measurement sees nothing, and says nothing.
        #expect(used == 0 || used > 1_000_000)
    }
}
