/// The associations of one socket by their path, bounded, with their order of eviction. Pure: `Member` is anything that
/// the owner keeps for one, and times are the owner's, in nanoseconds.
///
/// An association is a handshake first. One of a path that is open already, of a client that has lost its keys, stands
/// beside the open one until it is open itself: only then the old one is abandoned (RFC 6347 section 4.2.8).
///
/// Handshakes and open associations have bounds of their own: a new handshake displaces the oldest handshake at most,
/// and only one that has been authenticated displaces the open association that is idle longest. So peers without a
/// certificate displace no peer that has one.
///
/// Every call takes constant time. Confined to its thread.
public struct AssociationTable<Member> {
    /// A reference to an association, which never means a later one.
    public struct ID: Hashable, Sendable {
        fileprivate let index: Int32
        fileprivate let generation: UInt32
    }

    /// An association that has left the table.
    public struct Removed {
        /// Its path.
        public let path: AssociationPath
        /// The owner's part.
        public let member: Member
        /// Whether it was open.
        public let wasOpen: Bool
    }

    private struct Entry {
        var member: Member?
        var path: AssociationPath
        /// The hello that began it.
        var cookie: [UInt8]
        var isOpen = false
        /// The start of the handshake, or the last activity once it is open.
        var time: UInt64
        var generation: UInt32 = 0
        var older: Int32 = -1
        var newer: Int32 = -1
    }

    /// The associations of a path: -1 for none.
    private struct Pair {
        var open: Int32 = -1
        var handshake: Int32 = -1
    }

    /// A list of entries by their time, oldest first.
    private struct List {
        var first: Int32 = -1
        var last: Int32 = -1
        var count = 0
    }

    private let maxOpen: Int
    private let maxHandshakes: Int
    private var entries: ContiguousArray<Entry> = []
    private var free: ContiguousArray<Int32> = []
    private var pairs: [AssociationPath: Pair] = [:]
    private var openList = List()
    private var handshakeList = List()

    /// Makes an empty table. Both bounds are at least 1.
    public init(maxOpen: Int, maxHandshakes: Int) {
        self.maxOpen = max(1, maxOpen)
        self.maxHandshakes = max(1, maxHandshakes)
    }

    /// The open associations.
    public var openCount: Int { openList.count }
    /// The handshakes.
    public var handshakeCount: Int { handshakeList.count }

    /// The owner's part of an association; nil where it has left the table.
    public subscript(id: ID) -> Member? { isCurrent(id) ? entries[Int(id.index)].member : nil }

    /// The path of an association; nil where it has left the table.
    public func path(of id: ID) -> AssociationPath? { isCurrent(id) ? entries[Int(id.index)].path : nil }

    // MARK: Datagrams

    /// The associations to which a datagram of the path may belong, in the order in which they are to be asked: both
    /// discard the records of the other.
    public func find(_ path: AssociationPath) -> (open: ID?, handshake: ID?) {
        guard let pair = pairs[path] else { return (nil, nil) }
        return (id(pair.open), id(pair.handshake))
    }

    /// The association that a hello with this valid cookie has begun; nil where it is a new one.
    public func find(_ path: AssociationPath, cookie: [UInt8]) -> ID? {
        guard let pair = pairs[path] else { return nil }
        for index in [pair.handshake, pair.open] where index >= 0 && entries[Int(index)].cookie == cookie {
            return id(index)
        }
        return nil
    }

    /// Notes activity of an open association, which keeps it from eviction.
    public mutating func touch(_ id: ID, at now: UInt64) {
        guard isCurrent(id), entries[Int(id.index)].isOpen else { return }
        unlink(id.index)
        entries[Int(id.index)].time = now
        link(id.index)
    }

    // MARK: Life

    /// Adds a handshake that a hello with a valid cookie has begun. Returns the handshakes that make room: another one
    /// of the path, whose client has begun anew, and the oldest where there are too many.
    public mutating func begin(
        _ member: Member, on path: AssociationPath, cookie: [UInt8], at now: UInt64
    ) -> (id: ID, displaced: [Removed]) {
        var displaced: [Removed] = []
        if let rival = pairs[path].flatMap({ id($0.handshake) }), let removed = remove(rival) {
            displaced.append(removed)
        }
        if handshakeList.count >= maxHandshakes, let oldest = id(handshakeList.first), let removed = remove(oldest) {
            displaced.append(removed)
        }
        let index = makeEntry(Entry(member: member, path: path, cookie: cookie, time: now))
        link(index)
        pairs[path, default: Pair()].handshake = index
        return (ID(index: index, generation: entries[Int(index)].generation), displaced)
    }

    /// Makes a handshake an open association. Returns those that make room: the one of its path that was open before,
    /// and the one that is idle longest where there are too many.
    public mutating func open(_ id: ID, at now: UInt64) -> [Removed] {
        guard isCurrent(id), !entries[Int(id.index)].isOpen else { return [] }
        let path = entries[Int(id.index)].path
        var displaced: [Removed] = []
        if let old = pairs[path].flatMap({ self.id($0.open) }), let removed = remove(old) { displaced.append(removed) }
        if openList.count >= maxOpen, let idle = self.id(openList.first), let removed = remove(idle) {
            displaced.append(removed)
        }
        unlink(id.index)
        entries[Int(id.index)].isOpen = true
        entries[Int(id.index)].time = now
        link(id.index)
        pairs[path] = Pair(open: id.index)
        return displaced
    }

    /// Removes an association; nil where it has left before.
    @discardableResult
    public mutating func remove(_ id: ID) -> Removed? {
        guard isCurrent(id), let member = entries[Int(id.index)].member else { return nil }
        let entry = entries[Int(id.index)]
        unlink(id.index)
        if var pair = pairs[entry.path] {
            if entry.isOpen { pair.open = -1 } else { pair.handshake = -1 }
            pairs[entry.path] = pair.open < 0 && pair.handshake < 0 ? nil : pair
        }
        entries[Int(id.index)].member = nil
        entries[Int(id.index)].cookie = []
        entries[Int(id.index)].generation &+= 1
        free.append(id.index)
        return Removed(path: entry.path, member: member, wasOpen: entry.isOpen)
    }

    // MARK: Deadlines

    /// The handshake that began first, and when.
    public var oldestHandshake: (id: ID, start: UInt64)? { oldest(handshakeList).map { (id: $0.id, start: $0.time) } }

    /// The open association that is idle longest, and its last activity.
    public var idlest: (id: ID, lastActivity: UInt64)? {
        oldest(openList).map { (id: $0.id, lastActivity: $0.time) }
    }

    // MARK: Entries

    private func isCurrent(_ id: ID) -> Bool {
        Int(id.index) < entries.count && entries[Int(id.index)].generation == id.generation
    }

    private func id(_ index: Int32) -> ID? {
        index < 0 ? nil : ID(index: index, generation: entries[Int(index)].generation)
    }

    private func oldest(_ list: List) -> (id: ID, time: UInt64)? {
        id(list.first).map { (id: $0, time: entries[Int($0.index)].time) }
    }

    private mutating func makeEntry(_ entry: Entry) -> Int32 {
        guard let index = free.popLast() else {
            entries.append(entry)
            return Int32(entries.count - 1)
        }
        let generation = entries[Int(index)].generation
        entries[Int(index)] = entry
        entries[Int(index)].generation = generation
        return index
    }

    /// Appends an entry to the list of its kind.
    private mutating func link(_ index: Int32) {
        if entries[Int(index)].isOpen {
            Self.append(index, of: &entries, to: &openList)
        } else {
            Self.append(index, of: &entries, to: &handshakeList)
        }
    }

    /// Removes an entry from the list of its kind.
    private mutating func unlink(_ index: Int32) {
        if entries[Int(index)].isOpen {
            Self.remove(index, of: &entries, from: &openList)
        } else {
            Self.remove(index, of: &entries, from: &handshakeList)
        }
    }

    private static func append(_ index: Int32, of entries: inout ContiguousArray<Entry>, to list: inout List) {
        entries[Int(index)].older = list.last
        entries[Int(index)].newer = -1
        if list.last < 0 { list.first = index } else { entries[Int(list.last)].newer = index }
        list.last = index
        list.count += 1
    }

    private static func remove(_ index: Int32, of entries: inout ContiguousArray<Entry>, from list: inout List) {
        let (older, newer) = (entries[Int(index)].older, entries[Int(index)].newer)
        if older < 0 { list.first = newer } else { entries[Int(older)].newer = newer }
        if newer < 0 { list.last = older } else { entries[Int(newer)].older = older }
        list.count -= 1
    }
}
