import LinuxIO
// The addresses and settings of a stream are part of its interface: a program that imports the engine names them, too.
@_exported import NetworkTypes

// The other names that a program outside this package needs to use the engine.

/// A system call that failed, with its errno.
public typealias SystemError = LinuxIO.SystemError
/// The source of monotonic time (`CLOCK_MONOTONIC`, clock_gettime(2)), in nanoseconds.
public typealias MonotonicClock = LinuxIO.MonotonicClock
/// Lookups by the system's resolver (getaddrinfo(3)), and the reasons of those that fail.
public typealias AddressLookup = LinuxIO.AddressLookup
/// Encrypts a stream over a socket, for ``StreamHooks/clientSession`` and ``StreamHooks/upstreamSession``.
public typealias SecureSession = LinuxIO.SecureSession
/// The outcome of one step of a handshake.
public typealias HandshakeStep = LinuxIO.HandshakeStep
/// The properties of a channel that the relay relies on.
public typealias ChannelTraits = LinuxIO.ChannelTraits
/// The facts of a handshake, which headers and logs tell.
public typealias SecureSessionFacts = LinuxIO.SecureSessionFacts
