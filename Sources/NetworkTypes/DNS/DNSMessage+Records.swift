extension DNSMessage {
    /// The bound on aliases between a question and its records.
    package static let maxAliases = 16

    private static let serviceLength = 6

    /// The records that answer a question, found along the aliases of its name (RFC 1035 section 3.6.2). Nil where the
    /// message is none for this question, its answer section is malformed, or the aliases have no end.
    package func answer(to question: DNSQuestion) -> DNSAnswer? {
        guard repeats(question.bytes), let records = answerRecords else { return nil }
        var aliases: [DNSName: (target: DNSName, timeToLive: UInt32)] = [:]
        for record in records {
            guard case .alias(let target) = record.content, aliases[record.owner] == nil else { continue }
            aliases[record.owner] = (target, record.timeToLiveSeconds)
        }
        var name = question.name
        var timeToLive = UInt32.max
        for _ in 0...Self.maxAliases {
            let found = records.filter { $0.type == question.type && $0.owner == name }
            if !found.isEmpty {
                return DNSAnswer(
                    contents: found.map(\.content),
                    timeToLiveSeconds: found.reduce(timeToLive) { min($0, $1.timeToLiveSeconds) })
            }
            guard let alias = aliases[name] else { return DNSAnswer(contents: [], timeToLiveSeconds: 0) }
            name = alias.target
            timeToLive = min(timeToLive, alias.timeToLive)
        }
        return nil
    }

    /// The records of the answer section whose type and class are known here; nil where one is malformed. A message of
    /// 64 KiB has fewer than 6,000.
    var answerRecords: [DNSRecord]? {
        guard var offset = endOfQuestions else { return nil }
        var records: [DNSRecord] = []
        for _ in 0..<answerCount {
            guard let parts = record(at: offset) else { return nil }
            if let type = DNSRecordType(rawValue: UInt16(truncatingIfNeeded: pair(parts.fixed))),
                pair(parts.fixed + 2) == Int(DNSQuestion.internetClass), Self.reads(type)
            {
                guard let owner = DNSName(in: bytes, at: offset), let content = content(of: type, in: parts.data) else {
                    return nil
                }
                let time = number(at: parts.fixed + 4)
                records.append(
                    DNSRecord(
                        owner: owner, type: type, timeToLiveSeconds: time > Int32.max ? 0 : time, content: content))
            }
            offset = parts.data.upperBound
        }
        return records
    }

    private static func reads(_ type: DNSRecordType) -> Bool {
        switch type {
        case .a, .aaaa, .cname, .srv: true
        case .ns, .soa, .mx, .txt: false
        }
    }

    /// The number in four bytes, which must be there.
    private func number(at offset: Int) -> UInt32 {
        UInt32(truncatingIfNeeded: pair(offset)) << 16 | UInt32(truncatingIfNeeded: pair(offset + 2))
    }

    /// Reads the data of a record, which lies within the message.
    private func content(of type: DNSRecordType, in data: Range<Int>) -> DNSRecord.Content? {
        let start = data.lowerBound
        switch type {
        case .a:
            return data.count == 4 ? .address(IPAddress(v4: number(at: start))) : nil
        case .aaaa:
            guard data.count == 16 else { return nil }
            let words = (0..<4).map { UInt64(number(at: start + 4 * $0)) }
            return .address(IPAddress(high: words[0] << 32 | words[1], low: words[2] << 32 | words[3]))
        case .cname:
            return name(at: start, endingAt: data.upperBound).map { .alias($0) }
        case .srv:
            guard data.count > Self.serviceLength,
                let target = name(at: start + Self.serviceLength, endingAt: data.upperBound)
            else { return nil }
            let numbers = (0..<3).map { UInt16(truncatingIfNeeded: pair(start + 2 * $0)) }
            return .service(
                DNSService(priority: numbers[0], weight: numbers[1], port: numbers[2], target: target))
        case .ns, .soa, .mx, .txt: return nil
        }
    }

    /// The name at an offset, which must end where the data of its record does.
    private func name(at start: Int, endingAt end: Int) -> DNSName? {
        DNSName.end(in: bytes, at: start) == end ? DNSName(in: bytes, at: start) : nil
    }
}
