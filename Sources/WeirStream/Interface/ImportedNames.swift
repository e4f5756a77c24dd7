import LinuxIO
// The addresses and settings of a stream are part of its interface: a program that imports the engine names them, too.
@_exported import NetworkTypes

// The other names that a program outside this package needs to use the engine.

/// A system call that failed, with its errno.
public typealias SystemError = LinuxIO.SystemError
/// Where time comes from.
public typealias MonotonicClock = LinuxIO.MonotonicClock
/// The system's resolver, and its errors.
public typealias AddressLookup = LinuxIO.AddressLookup
