import CLinux

/// An epoll(7) instance and the room for one batch of its events.
@safe struct Epoll: ~Copyable {
    private let descriptor: FileDescriptor
    private let events: UnsafeMutablePointer<epoll_event>
    private let capacity: Int

    init(eventsPerTurn: Int) throws(SystemError) {
        descriptor = FileDescriptor(adopting: try check(weir_epoll_create(), .epollCreate))
        capacity = eventsPerTurn
        unsafe events = .allocate(capacity: eventsPerTurn)
        unsafe events.initialize(repeating: epoll_event(), count: eventsPerTurn)
    }

    deinit {
        unsafe events.deallocate()
    }

    func add(_ number: CInt, _ interest: EventSet, token: UInt64) throws(SystemError) {
        try check(weir_epoll_add(descriptor.rawValue, number, interest.rawValue, token), .epollControl)
    }

    func modify(_ number: CInt, _ interest: EventSet, token: UInt64) throws(SystemError) {
        try check(weir_epoll_modify(descriptor.rawValue, number, interest.rawValue, token), .epollControl)
    }

    func remove(_ number: CInt) throws(SystemError) {
        try check(weir_epoll_remove(descriptor.rawValue, number), .epollControl)
    }

    /// Waits, and returns the number of events. Traps if the call fails: epoll_wait(2) fails only for wrong arguments;
    /// an interruption counts as no event.
    func wait(milliseconds: CInt) -> Int {
        do throws(SystemError) {
            return Int(
                try check(
                    unsafe weir_epoll_wait(descriptor.rawValue, events, CInt(capacity), milliseconds), .epollWait))
        } catch {
            preconditionFailure("\(error)")
        }
    }

    func event(at index: Int) -> (token: UInt64, events: EventSet) {
        let event = unsafe events[index]
        return unsafe (event.data.u64, EventSet(rawValue: event.events))
    }
}
