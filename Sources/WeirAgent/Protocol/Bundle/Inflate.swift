/// Decompresses DEFLATE (RFC 1951), within a bound that the caller gives. Pure, and without a trap on any bytes.
///
/// Archives with credentials hold a few kilobytes: it decodes bit by bit, and has no tables beyond those of the codes.
struct Inflate {
    /// The input is no DEFLATE stream, its output is longer than allowed, or it has more blocks than ``maxBlocks``.
    struct Fault: Error {}

    private let input: ArraySlice<UInt8>
    private let maxLength: Int
    private var position: Int
    private var bits: UInt32 = 0
    private var bitCount = 0
    private var output: [UInt8] = []

    /// The most blocks of a stream. Empty ones cost time and make no output, so the bound on that does not hold them.
    static let maxBlocks = 4096
    private static let maxCodeLength = 15
    private static let lengthBases = [
        3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227,
        258,
    ]
    private static let lengthBits = [
        0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0,
    ]
    private static let distanceBases = [
        1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097,
        6145, 8193, 12289, 16385, 24577,
    ]
    private static let distanceBits = [
        0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13,
    ]
    private static let lengthOrder = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]

    private init(_ input: ArraySlice<UInt8>, maxLength: Int) {
        self.input = input
        self.maxLength = maxLength
        position = input.startIndex
    }

    /// Returns the decompressed bytes, at most `maxLength` of them.
    static func bytes(of input: ArraySlice<UInt8>, maxLength: Int) throws(Fault) -> [UInt8] {
        var inflate = Inflate(input, maxLength: maxLength)
        for _ in 0..<maxBlocks {
            if try inflate.block() { return inflate.output }
        }
        throw Fault()
    }

    /// Decodes one block. Returns whether it is the last.
    private mutating func block() throws(Fault) -> Bool {
        let isLast = try take(1) == 1
        switch try take(2) {
        case 0: try stored()
        case 1:
            let lengths = (0..<288).map { $0 < 144 ? 8 : $0 < 256 ? 9 : $0 < 280 ? 7 : 8 }
            try codes(try Code(lengths), try Code([Int](repeating: 5, count: 30)))
        case 2: try dynamic()
        default: throw Fault()
        }
        return isLast
    }

    // MARK: Bits

    /// The next bits, the first one lowest.
    private mutating func take(_ count: Int) throws(Fault) -> Int {
        while bitCount < count {
            guard position < input.endIndex else { throw Fault() }
            bits |= UInt32(input[position]) << UInt32(bitCount)
            position += 1
            bitCount += 8
        }
        let value = bits & (UInt32(1) << UInt32(count) - 1)
        bits >>= UInt32(count)
        bitCount -= count
        return Int(value)
    }

    private mutating func append(_ byte: UInt8) throws(Fault) {
        guard output.count < maxLength else { throw Fault() }
        output.append(byte)
    }

    // MARK: Blocks

    private mutating func stored() throws(Fault) {
        // Whole bytes that were taken are none: at most seven bits are left here.
        bits = 0
        bitCount = 0
        let length = try take(16)
        guard try take(16) == ~length & 0xffff, input.endIndex - position >= length,
            output.count + length <= maxLength
        else { throw Fault() }
        output += input[position..<(position + length)]
        position += length
    }

    private mutating func dynamic() throws(Fault) {
        let lengthCount = try take(5) + 257
        let distanceCount = try take(5) + 1
        let count = try take(4) + 4
        guard lengthCount <= 286, distanceCount <= 30 else { throw Fault() }
        var lengths = [Int](repeating: 0, count: 19)
        for index in 0..<count { lengths[Self.lengthOrder[index]] = try take(3) }
        let code = try Code(lengths)
        lengths = []
        while lengths.count < lengthCount + distanceCount {
            let symbol = try decode(code)
            switch symbol {
            case 0...15: lengths.append(symbol)
            case 16:
                guard let last = lengths.last else { throw Fault() }
                lengths += repeatElement(last, count: try take(2) + 3)
            case 17: lengths += repeatElement(0, count: try take(3) + 3)
            default: lengths += repeatElement(0, count: try take(7) + 11)
            }
        }
        guard lengths.count == lengthCount + distanceCount, lengths[256] > 0 else { throw Fault() }
        try codes(try Code(Array(lengths[..<lengthCount])), try Code(Array(lengths[lengthCount...])))
    }

    private mutating func codes(_ lengths: Code, _ distances: Code) throws(Fault) {
        while true {
            let symbol = try decode(lengths)
            if symbol == 256 { return }
            if symbol < 256 {
                try append(UInt8(symbol))
                continue
            }
            guard symbol - 257 < Self.lengthBases.count else { throw Fault() }
            let length = Self.lengthBases[symbol - 257] + (try take(Self.lengthBits[symbol - 257]))
            let distanceSymbol = try decode(distances)
            guard distanceSymbol < Self.distanceBases.count else { throw Fault() }
            let distance = Self.distanceBases[distanceSymbol] + (try take(Self.distanceBits[distanceSymbol]))
            guard distance <= output.count else { throw Fault() }
            for _ in 0..<length { try append(output[output.count - distance]) }
        }
    }

    // MARK: Codes

    /// A canonical prefix code (RFC 1951 section 3.2.2).
    private struct Code {
        /// The number of codes of each length.
        var counts = [Int](repeating: 0, count: Inflate.maxCodeLength + 1)
        /// The symbols in the order of their codes.
        var symbols: [Int] = []

        init(_ lengths: [Int]) throws(Fault) {
            for length in lengths where length > 0 { counts[length] += 1 }
            var left = 1
            for length in 1...Inflate.maxCodeLength {
                left = left * 2 - counts[length]
                if left < 0 { throw Fault() }
            }
            for length in 1...Inflate.maxCodeLength where counts[length] > 0 {
                for (symbol, own) in lengths.enumerated() where own == length { symbols.append(symbol) }
            }
        }
    }

    private mutating func decode(_ code: Code) throws(Fault) -> Int {
        var (value, first, index) = (0, 0, 0)
        for length in 1...Self.maxCodeLength {
            value |= try take(1)
            let count = code.counts[length]
            if value - first < count { return code.symbols[index + value - first] }
            index += count
            first = (first + count) * 2
            value *= 2
        }
        throw Fault()
    }
}
