import LinuxIO

#if Docker
import CCurl

/// Requests to one engine over libcurl's multi interface, any number at once. Confined to one thread.
@safe final class HTTPClient {
    private let access: EngineAccess
    private let multi: UnsafeMutableRawPointer
    private var handles: [(handle: UnsafeMutableRawPointer, transfer: HTTPTransfer)] = unsafe []

    /// libcurl wants to be set up once, before there are threads that use it; the first use is that.
    private static let isReady: Bool = curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK

    /// How long a connection may take, in milliseconds.
    private static let connectMilliseconds = 5_000

    init(_ access: EngineAccess) throws(EngineFailure) {
        guard Self.isReady, let multi = unsafe curl_multi_init() else {
            throw EngineFailure(.connect, "libcurl cannot be used")
        }
        self.access = access
        unsafe self.multi = multi
    }

    deinit {
        for unsafe(handle, _) in unsafe handles {
            unsafe curl_multi_remove_handle(multi, handle)
            unsafe curl_easy_cleanup(handle)
        }
        unsafe curl_multi_cleanup(multi)
    }

    /// Begins a GET request. `milliseconds` bounds all of it; nil is for a stream without an end.
    func begin(_ path: String, _ transfer: HTTPTransfer, within milliseconds: Int?) throws(EngineFailure) {
        guard let handle = unsafe curl_easy_init() else {
            throw EngineFailure(.connect, "libcurl has no memory")
        }
        // Proof: `handles` keeps the transfer as long as the handle, and each call is on the client's thread.
        let owner = unsafe Unmanaged.passUnretained(transfer).toOpaque()
        var isSet = unsafe weir_curl_set_text(handle, CURLOPT_URL, access.baseURL + path) == CURLE_OK
        isSet = unsafe set(handle, milliseconds: milliseconds) && isSet
        isSet =
            unsafe weir_curl_set_writer(
                handle,
                { bytes, size, count, owner in
                    guard let bytes = unsafe bytes, let owner = unsafe owner else { return 0 }
                    // Proof: `Unmanaged` of a transfer that its handle's entry keeps.
                    let transfer = unsafe Unmanaged<HTTPTransfer>.fromOpaque(owner).takeUnretainedValue()
                    let length = size * count
                    let piece = unsafe UnsafeRawBufferPointer(start: bytes, count: length)
                    return unsafe transfer.take(Array(piece)) ? length : 0
                }, owner) == CURLE_OK && isSet
        isSet =
            unsafe weir_curl_set_header_reader(
                handle,
                { _, size, count, owner in
                    guard let owner = unsafe owner else { return 0 }
                    // Proof: `Unmanaged`, as above.
                    unsafe Unmanaged<HTTPTransfer>.fromOpaque(owner).takeUnretainedValue().hasAnswer = true
                    return size * count
                }, owner) == CURLE_OK && isSet
        guard isSet, unsafe curl_multi_add_handle(multi, handle) == CURLM_OK else {
            unsafe curl_easy_cleanup(handle)
            throw EngineFailure(.connect, "libcurl refuses the request")
        }
        unsafe handles.append((handle, transfer))
    }

    /// Sets what all requests have in common: no proxy of the environment, no redirect, no signal.
    private func set(_ handle: UnsafeMutableRawPointer, milliseconds: Int?) -> Bool {
        var numbers: [(CURLoption, Int)] = [
            (CURLOPT_NOSIGNAL, 1), (CURLOPT_CONNECTTIMEOUT_MS, Self.connectMilliseconds),
            (CURLOPT_TIMEOUT_MS, milliseconds ?? 0), (CURLOPT_FOLLOWLOCATION, 0), (CURLOPT_TCP_KEEPALIVE, 1),
            (CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1)),
        ]
        var texts: [(CURLoption, String)] = [
            (CURLOPT_PROXY, ""), (CURLOPT_USERAGENT, "weir"), (CURLOPT_PROTOCOLS_STR, "http,https"),
        ]
        if case .unix(let path) = access.endpoint.address { texts.append((CURLOPT_UNIX_SOCKET_PATH, path)) }
        if access.isEncrypted {
            numbers += [(CURLOPT_SSL_VERIFYPEER, 1), (CURLOPT_SSL_VERIFYHOST, 2)]
            if let file = access.authorities { texts.append((CURLOPT_CAINFO, file)) }
            if let file = access.certificate { texts.append((CURLOPT_SSLCERT, file)) }
            if let file = access.key { texts.append((CURLOPT_SSLKEY, file)) }
        }
        for (option, number) in numbers
        where unsafe weir_curl_set_number(handle, option, number) != CURLE_OK { return false }
        for (option, text) in texts
        where unsafe weir_curl_set_text(handle, option, text) != CURLE_OK { return false }
        return true
    }

    /// Moves all requests on, after waiting for something to happen to them, or for the signal, for at most so many
    /// milliseconds.
    func step(_ signal: borrowing EventSignal, milliseconds: Int) throws(EngineFailure) {
        var running: CInt = 0
        guard unsafe curl_multi_perform(multi, &running) == CURLM_OK else {
            throw EngineFailure(.connect, "libcurl fails")
        }
        if takeEnded() { return }
        var extra = curl_waitfd(fd: signal.number, events: Int16(CURL_WAIT_POLLIN), revents: 0)
        var ready: CInt = 0
        let limit = CInt(clamping: max(0, milliseconds))
        guard unsafe curl_multi_poll(multi, &extra, 1, limit, &ready) == CURLM_OK else {
            throw EngineFailure(.connect, "libcurl cannot wait")
        }
        signal.reset()
        guard unsafe curl_multi_perform(multi, &running) == CURLM_OK else {
            throw EngineFailure(.connect, "libcurl fails")
        }
        _ = takeEnded()
    }

    /// Notes what has ended, and lets go of it. Whether there was something.
    private func takeEnded() -> Bool {
        var hasEnded = false
        var left: CInt = 0
        while let message = unsafe curl_multi_info_read(multi, &left) {
            guard unsafe message.pointee.msg == CURLMSG_DONE, let handle = unsafe message.pointee.easy_handle else {
                continue
            }
            let code = unsafe message.pointee.data.result
            let index = unsafe handles.firstIndex { unsafe $0.handle == handle }
            if let index {
                let transfer = unsafe handles[index].transfer
                transfer.status = unsafe weir_curl_status(handle)
                if code != CURLE_OK, !transfer.isTooLarge {
                    transfer.problem = unsafe curl_easy_strerror(code).map { unsafe String(cString: $0) } ?? "failed"
                }
                transfer.isDone = true
                unsafe handles.remove(at: index)
                hasEnded = true
            }
            unsafe curl_multi_remove_handle(multi, handle)
            unsafe curl_easy_cleanup(handle)
        }
        return hasEnded
    }
}
#else
/// Stands for the client in a program without the trait `Docker`, whose configuration has no engines.
final class HTTPClient {
    init(_ access: EngineAccess) throws(EngineFailure) {
        throw EngineFailure(.connect, "this program was built without the package trait `Docker`")
    }

    func begin(_ path: String, _ transfer: HTTPTransfer, within milliseconds: Int?) throws(EngineFailure) {}

    func step(_ signal: borrowing EventSignal, milliseconds: Int) throws(EngineFailure) {}
}
#endif
