/// The datagrams of one received batch, as one chain per session in the order of their arrival. Confined to the worker.
final class InboxOrder {
    /// One session's datagrams, by their index in the inbox.
    struct Chain {
        fileprivate var first: Int16 = -1
        fileprivate var last: Int16 = -1

        var isEmpty: Bool { first < 0 }
    }

    private var next: ContiguousArray<Int16>

    init(capacity: Int) {
        precondition(capacity <= Int(Int16.max))
        next = ContiguousArray(repeating: -1, count: capacity)
    }

    func append(_ index: Int, to chain: inout Chain) {
        let index = Int16(index)
        next[Int(index)] = -1
        if chain.isEmpty { chain.first = index } else { next[Int(chain.last)] = index }
        chain.last = index
    }

    func popFirst(of chain: inout Chain) -> Int? {
        guard !chain.isEmpty else { return nil }
        let index = Int(chain.first)
        chain.first = next[index]
        return index
    }
}
