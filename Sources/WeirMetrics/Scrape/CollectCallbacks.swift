import Synchronization

/// The callbacks that run before each page, in the order of registration: a chain that only grows, so that walking it
/// needs no lock.
final class CollectCallbacks: Sendable {
    private final class Link: Sendable {
        let refresh: @Sendable () -> Void
        let next = AtomicLazyReference<Link>()

        init(_ refresh: @escaping @Sendable () -> Void) {
            self.refresh = refresh
        }
    }

    private let first = AtomicLazyReference<Link>()

    /// Appends; any thread.
    func append(_ refresh: @escaping @Sendable () -> Void) {
        let link = Link(refresh)
        var last = first.storeIfNil(link)
        while last !== link { last = last.next.storeIfNil(link) }
    }

    /// Calls all callbacks on this thread.
    func callAll() {
        var link = first.load()
        while let current = link {
            current.refresh()
            link = current.next.load()
        }
    }
}
