import Glibc

/// Whether a sanitizer of the compiler is in this process. Its shadow takes memory for what the program never touched,
/// so that measurements of memory say nothing.
package enum Sanitizer {
    package static let isPresent = (["__asan_init", "__tsan_init"] as [String]).contains { dlsym(nil, $0) != nil }
}
