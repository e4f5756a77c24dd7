import Glibc

/// A counting semaphore on `sem_t`: tests block plain threads, not tasks.
///
/// Proof: the pointer is set once and freed with its owner; sem_post and sem_wait may be called from any thread.
package final class TestSemaphore: @unchecked Sendable {
    private let semaphore: UnsafeMutablePointer<sem_t>

    package init() {
        semaphore = .allocate(capacity: 1)
        sem_init(semaphore, 0, 0)
    }

    deinit {
        sem_destroy(semaphore)
        semaphore.deallocate()
    }

    package func signal() { sem_post(semaphore) }

    package func wait() {
        while sem_wait(semaphore) == -1 && errno == EINTR {}
    }
}
