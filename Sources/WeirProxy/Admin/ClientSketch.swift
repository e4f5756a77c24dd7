import NetworkTypes

/// The clients with the most bytes of all that it is given, in bounded memory: a weighted Space-Saving summary
/// (Metwally, Agrawal, El Abbadi, *Efficient Computation of Frequent and Top-k Elements in Data Streams*, ICDT 2005).
/// Pure.
///
/// The weight of a client is its bytes, and one for each of its connections and sessions. As long as there are no more
/// clients than counters, every figure is exact. Beyond that a new client takes the counter of the lightest one, and
/// with it that one's weight as what it may have had before: ``Client/missed``. So a true weight is never below the
/// figures and never more than `missed` above them; `missed` is at most ``bound``, which is at most the weight of all
/// divided by the number of counters; and a client that weighs more than ``bound`` always has a counter.
struct ClientSketch {
    /// A client with its figures since it has a counter.
    struct Client: Equatable {
        /// Without a port.
        let address: SocketAddress
        /// The weight that it may have had before it had this counter.
        let missed: UInt64
        var streams = 0
        var ingressBytes: UInt64 = 0
        var egressBytes: UInt64 = 0

        /// The weight that it has for certain.
        fileprivate var seen: UInt64 { UInt64(clamping: streams) &+ ingressBytes &+ egressBytes }
        /// The weight that it has at most.
        fileprivate var weight: UInt64 { missed &+ seen }
    }

    /// The number of counters of a request: some 100 kB.
    static let usualCapacity = 1000

    /// All connections and sessions that were given.
    private(set) var streams = 0

    private let capacity: Int
    /// A heap: no client is lighter than its parent, and the lightest of all is the first.
    private var heap: [Client] = []
    private var indexes: [SocketAddress: Int] = [:]

    /// Creates a sketch with this number of counters, at least one.
    init(capacity: Int = usualCapacity) {
        precondition(capacity > 0)
        self.capacity = capacity
    }

    /// The weight that a client without a counter has at most.
    var bound: UInt64 { heap.count < capacity ? 0 : heap[0].weight }

    /// Takes in a connection or session. The port of its client is not looked at.
    mutating func add(_ client: SocketAddress, ingressBytes: UInt64, egressBytes: UInt64) {
        var address = client
        address.port = 0
        streams += 1
        let index = place(of: address)
        heap[index].streams += 1
        heap[index].ingressBytes &+= ingressBytes
        heap[index].egressBytes &+= egressBytes
        sink(from: index)
    }

    /// The clients that have the most for certain, the heaviest first.
    func top(_ count: Int) -> [Client] {
        let sorted = heap.sorted { first, second in
            first.seen == second.seen
                ? first.address.description < second.address.description : first.seen > second.seen
        }
        return Array(sorted.prefix(count))
    }

    /// The index of the client's counter: its own, a free one, or that of the lightest.
    private mutating func place(of address: SocketAddress) -> Int {
        if let index = indexes[address] { return index }
        guard heap.count < capacity else {
            let lightest = heap[0]
            indexes[lightest.address] = nil
            indexes[address] = 0
            heap[0] = Client(address: address, missed: lightest.weight)
            return 0
        }
        var index = heap.count
        heap.append(Client(address: address, missed: 0))
        indexes[address] = index
        // It weighs nothing yet.
        while index > 0 {
            swap(index, (index - 1) / 2)
            index = (index - 1) / 2
        }
        return index
    }

    /// Restores the order where the client at an index has become heavier.
    private mutating func sink(from start: Int) {
        var index = start
        while true {
            var lightest = index
            for child in (2 * index + 1)...(2 * index + 2)
            where child < heap.count && heap[child].weight < heap[lightest].weight { lightest = child }
            if lightest == index { return }
            swap(index, lightest)
            index = lightest
        }
    }

    private mutating func swap(_ first: Int, _ second: Int) {
        heap.swapAt(first, second)
        indexes[heap[first].address] = first
        indexes[heap[second].address] = second
    }
}
