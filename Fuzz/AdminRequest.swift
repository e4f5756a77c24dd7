// Modules: NetworkTypes WeirProxy/Admin/Request

@testable import WeirProxy

/// Requests at the admin socket, and the queries of connections in them. Nothing may trap; more bytes never change a
/// verdict; and what is written again is read again.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let input = Array(UnsafeBufferPointer(start: data, count: count))
    // A fuzzer seldom writes a whole request: what it makes is a target, too.
    for bytes in [input, Array("POST /v1/kill?".utf8) + input + Array(" HTTP/1.1\r\n\r\n".utf8)] { check(bytes) }
    return 0
}

private func read(_ bytes: [UInt8]) -> Result<AdminRequest, AdminRequest.Problem> {
    do throws(AdminRequest.Problem) {
        return .success(try AdminRequest(bytes))
    } catch {
        return .failure(error)
    }
}

private func check(_ bytes: [UInt8]) {
    let verdict = read(bytes)
    if verdict == .failure(.incomplete) {
        precondition(bytes.count <= AdminRequest.maxBytes, "more is awaited than a request may have")
        return
    }
    for more in [0, 10, 13, 65] as [UInt8] {
        precondition(read(bytes + [more]) == verdict, "a byte behind changed it")
    }
    guard case .success(let request) = verdict else { return }
    precondition(request.path.utf8.first == UInt8(ascii: "/") && request.parameters.count <= 16)
    let method = request.method == .get ? "GET" : "POST"
    let written = Array("\(method) \(request.target) HTTP/1.1\r\n\r\n".utf8)
    if written.count <= AdminRequest.maxBytes {
        precondition(read(written) == verdict, "what was written cannot be read")
    }
    check(request.parameters)
}

private func check(_ parameters: [String: String]) {
    guard let list = try? StreamQuery(parameters) else {
        precondition((try? StreamQuery(parameters, isList: false)) == nil, "a kill takes what a list refuses")
        return
    }
    precondition((1...StreamQuery.maxLimit).contains(list.limit) && list.age >= .zero)
    guard let kill = try? StreamQuery(parameters, isList: false) else {
        precondition(!StreamQuery.listNames.isDisjoint(with: parameters.keys))
        return
    }
    precondition(kill == list)
    // Without a name of something no connection is ended.
    precondition(kill.isNarrow == !parameters.keys.allSatisfy { $0 == "older" })
}
