import LinuxIO
import NetworkTypes

// What a program outside this package must be able to name to use the engine.

/// An IP address with a port.
public typealias SocketAddress = NetworkTypes.SocketAddress
/// An IP address without a port.
public typealias IPAddress = NetworkTypes.IPAddress
/// A system call that failed, with its errno.
public typealias SystemError = LinuxIO.SystemError
/// Where time comes from.
public typealias MonotonicClock = LinuxIO.MonotonicClock
/// Names of the system's resolver, and why one could not be resolved.
public typealias SystemNames = LinuxIO.SystemNames
