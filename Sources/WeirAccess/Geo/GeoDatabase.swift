import LinuxIO
public import NetworkTypes

#if GeoIP
import CMaxMindDB
import Glibc
#endif

/// Why a MaxMind database cannot be used.
public enum GeoDatabaseFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// This build was made without the package trait `GeoIP`.
    case notSupported
    /// The file cannot be read, or is no database.
    case unusable(String)

    /// The error in words.
    public var description: String {
        switch self {
        case .notSupported:
            "this build of Weir knows no countries and time zones: it was built without the package trait `GeoIP`"
        case .unusable(let reason): "cannot use the database: \(reason)"
        }
    }
}

#if GeoIP
// Proof: the memory behind `handle` is written before another thread has this object, and freed with the last
// reference. Between, libmaxminddb only reads it: look-ups in one open database may run on several threads.
/// A MaxMind database, opened once. It is read from a copy in memory: a process that writes over the file, instead of
/// replacing it, can neither crash the process (SIGBUS, see mmap(2)) nor change an answer half-way.
@safe public final class GeoDatabase: AddressLocator, @unchecked Sendable {
    private let handle: UnsafeMutablePointer<MMDB_s>

    /// Whether this build can open databases.
    public static let isSupported = true
    /// The largest database, in bytes.
    public static let maxBytes = 1 << 30

    /// Opens a database.
    public init(_ path: String) throws(GeoDatabaseFailure) {
        let copy: FileDescriptor
        do throws(SystemError) {
            copy = try FileDescriptor(copyingToMemory: path, limit: Self.maxBytes)
        } catch {
            throw .unusable(error.code == EINVAL ? "it is no regular file" : "\(error)")
        }
        let opened = UnsafeMutablePointer<MMDB_s>.allocate(capacity: 1)
        // The library opens the copy by itself and keeps a mapping of it.
        let code = unsafe MMDB_open("/proc/self/fd/\(copy.rawValue)", UInt32(MMDB_MODE_MMAP), opened)
        copy.close()
        guard code == MMDB_SUCCESS else {
            unsafe opened.deallocate()
            throw .unusable(unsafe String(cString: MMDB_strerror(code)))
        }
        unsafe handle = opened
    }

    deinit {
        unsafe MMDB_close(handle)
        unsafe handle.deallocate()
    }

    /// See ``AddressLocator``. A database that is damaged there says nothing.
    public func location(of address: IPAddress) -> AddressLocation {
        var found = unsafe lookUp(address)
        guard unsafe found.found_entry else { return AddressLocation() }
        return unsafe location(&found.entry)
    }

    private func location(_ entry: inout MMDB_entry_s) -> AddressLocation {
        let country = unsafe text(&entry, "country", "iso_code")
        let timezone = unsafe text(&entry, "location", "time_zone")
        return AddressLocation(
            country: country.flatMap { CountryCode($0) },
            timezone: timezone.map { String(decoding: $0, as: UTF8.self) })
    }

    /// The type that its metadata name, such as `GeoLite2-Country`, in backquotes and ready for a message: text of the
    /// file, of which at most 60 bytes are shown, and what is not printable ASCII escaped.
    public var shownType: String {
        let type = unsafe handle.pointee.metadata.database_type.map { unsafe String(cString: $0) } ?? ""
        return AccessRule.shown(Array(type.utf8)[...], maxByteCount: 60)
    }

    /// Which of these kinds of rule no entry says anything for: those would never match.
    ///
    /// Looks at entries until each kind was found, at most at all of them: some tenths of a second for a million.
    public func missing(_ kinds: some Sequence<AccessRuleKind>) -> [AccessRuleKind] {
        let asked = Set(kinds)
        var missing = [AccessRuleKind.country, .timezone].filter(asked.contains)
        // Neighbors often share their data.
        var last: UInt32?
        for number in 0..<(unsafe handle.pointee.metadata.node_count) {
            if missing.isEmpty { return [] }
            var node = unsafe MMDB_search_node_s()
            guard unsafe MMDB_read_node(handle, number, &node) == MMDB_SUCCESS else { continue }
            if unsafe node.left_record_type == UInt8(MMDB_RECORD_TYPE_DATA) {
                unsafe strike(&missing, by: &node.left_record_entry, &last)
            }
            if unsafe node.right_record_type == UInt8(MMDB_RECORD_TYPE_DATA) {
                unsafe strike(&missing, by: &node.right_record_entry, &last)
            }
        }
        return missing
    }

    private func strike(_ kinds: inout [AccessRuleKind], by entry: inout MMDB_entry_s, _ last: inout UInt32?) {
        let offset = unsafe entry.offset
        if offset == last { return }
        last = offset
        let location = unsafe location(&entry)
        kinds.removeAll { kind in
            switch kind {
            case .timezone: location.timezone != nil
            default: location.country != nil
            }
        }
    }

    private func lookUp(_ address: IPAddress) -> MMDB_lookup_result_s {
        var code: CInt = 0
        if address.isIPv4 {
            var name = sockaddr_in()
            name.sin_family = sa_family_t(AF_INET)
            name.sin_addr.s_addr = address.v4Bits.bigEndian
            return unsafe withUnsafePointer(to: &name) { pointer in
                unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    unsafe MMDB_lookup_sockaddr(handle, $0, &code)
                }
            }
        }
        var name = sockaddr_in6()
        name.sin6_family = sa_family_t(AF_INET6)
        unsafe withUnsafeMutableBytes(of: &name.sin6_addr) { bytes in
            unsafe bytes.storeBytes(of: address.high.bigEndian, as: UInt64.self)
            unsafe bytes.storeBytes(of: address.low.bigEndian, toByteOffset: 8, as: UInt64.self)
        }
        return unsafe withUnsafePointer(to: &name) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe MMDB_lookup_sockaddr(handle, $0, &code)
            }
        }
    }

    /// The bytes of a text in an entry, under one key within another; nil where there is none.
    private func text(_ entry: inout MMDB_entry_s, _ outer: StaticString, _ inner: StaticString) -> [UInt8]? {
        unsafe withUnsafeTemporaryAllocation(of: UnsafePointer<CChar>?.self, capacity: 3) { keys in
            for (index, key) in [outer, inner].enumerated() {
                let start = unsafe UnsafeRawPointer(key.utf8Start).assumingMemoryBound(to: CChar.self)
                unsafe keys.initializeElement(at: index, to: start)
            }
            unsafe keys.initializeElement(at: 2, to: nil)
            var data = unsafe MMDB_entry_data_s()
            guard unsafe MMDB_aget_value(&entry, &data, keys.baseAddress) == MMDB_SUCCESS, unsafe data.has_data,
                unsafe data.type == UInt32(MMDB_DATA_TYPE_UTF8_STRING), let start = unsafe data.utf8_string
            else { return nil }
            return unsafe Array(UnsafeRawBufferPointer(start: start, count: Int(data.data_size)))
        }
    }
}
#else
/// A MaxMind database, which this build cannot open.
public final class GeoDatabase: AddressLocator {
    /// Whether this build can open databases.
    public static let isSupported = false

    /// Always throws ``GeoDatabaseFailure/notSupported``.
    public init(_ path: String) throws(GeoDatabaseFailure) {
        throw .notSupported
    }

    /// See ``AddressLocator``.
    public func location(of address: IPAddress) -> AddressLocation { AddressLocation() }

    /// The type that its metadata name.
    public var shownType: String { "nothing" }

    /// Which of these kinds of rule no entry says anything for.
    public func missing(_ kinds: some Sequence<AccessRuleKind>) -> [AccessRuleKind] { [] }
}
#endif
