import Glibc

/// `mallinfo2().uordblks`, bytes that the program holds, over all threads. Glibc's import hides the function; on x86-64
/// a struct of this size is returned through a pointer in the place of a first argument. Constant elsewhere, and where
/// a sanitizer stands in for malloc(3).
package func heapBytesInUse() -> Int {
    #if arch(x86_64)
    typealias Call = @convention(c) (UnsafeMutableRawPointer) -> UnsafeMutableRawPointer
    guard let symbol = dlsym(nil, "mallinfo2") else { return 0 }
    return withUnsafeTemporaryAllocation(byteCount: 80, alignment: 8) { buffer in
        let result = unsafeBitCast(symbol, to: Call.self)(buffer.baseAddress!)
        return result.load(fromByteOffset: 7 * 8, as: Int.self)
    }
    #else
    return 0
    #endif
}
