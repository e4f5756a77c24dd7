import CLinux

/// Unix sockets with an abstract name (unix(7)): no file, so that they need no writable folder and leave nothing
/// behind. They belong to the network namespace, and have no permissions: ask for ``peerUser()``.
extension Socket {
    /// bind(2) to an abstract name, without the zero byte in front.
    public borrowing func bind(abstractName name: String) throws(SystemError) {
        try check(unsafe weir_bind_abstract(number, name, name.utf8.count), .bind)
    }

    /// connect(2) to an abstract name, without the zero byte in front.
    public borrowing func connect(toAbstractName name: String) throws(SystemError) {
        try check(unsafe weir_connect_abstract(number, name, name.utf8.count), .connect)
    }

    /// The effective user of the process at the other end, when it connected or began to listen (`SO_PEERCRED`).
    public borrowing func peerUser() throws(SystemError) -> UInt32 {
        var user: UInt32 = 0
        try check(unsafe weir_peer_user(number, &user), .socketOption)
        return user
    }
}
