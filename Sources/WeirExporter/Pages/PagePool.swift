/// One rendering in one coding, shared by everyone who asked for it in the same turn.
final class PageBody {
    /// The memory; longer than the page where an earlier one was longer.
    var storage: [UInt8] = []
    /// How many bytes of `storage` are the page.
    var count = 0
    /// How many connections are still to write it.
    fileprivate(set) var readers = 0
}

/// The pages in flight: a bounded number, so that readers who stop cannot make the exporter hold one page each.
struct PagePool {
    /// Memory of this many is kept for the next renderings: one plain, one compressed.
    private static let maxSpare = 2

    private let capacity: Int
    private var spare: [PageBody] = []
    private(set) var inFlight = 0

    init(capacity: Int) {
        self.capacity = max(capacity, Self.maxSpare)
    }

    /// Whether `count` more pages may be made now.
    func hasRoom(for count: Int) -> Bool { inFlight + count <= capacity }

    /// An empty page; the caller adds a reader to it.
    mutating func acquire() -> PageBody {
        inFlight += 1
        return spare.popLast() ?? PageBody()
    }

    /// One more connection writes `page`.
    func addReader(_ page: PageBody) {
        page.readers += 1
    }

    /// A connection is done with `page`, or gone.
    mutating func removeReader(_ page: PageBody) {
        page.readers -= 1
        guard page.readers == 0 else { return }
        inFlight -= 1
        page.count = 0
        if spare.count < Self.maxSpare { spare.append(page) }
    }
}
