// Modules: NetworkTypes Threading LinuxIO WeirStream WeirAgent/Protocol

@testable import WeirAgent

/// The bytes of an archive, and those of a deflated entry alone. Nothing may trap, and no output is longer than allowed.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let input = Array(UnsafeBufferPointer(start: data, count: count))
    if let bundle = try? AgentBundle(zip: input) {
        precondition([bundle.authority, bundle.certificate, bundle.key].allSatisfy { $0.count <= 256 << 10 })
    }
    if let archive = try? ZipReader(input) { _ = try? archive.bytes(of: "ca.pem") }
    if let output = try? Inflate.bytes(of: input[...], maxLength: 4096) { precondition(output.count <= 4096) }
    return 0
}
