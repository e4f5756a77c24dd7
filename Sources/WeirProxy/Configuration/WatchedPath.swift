import Glibc

/// The folders to watch so that no change of the file behind a path is missed: the folder of the file, and those of all
/// symbolic links on the way (Kubernetes swaps such a link to publish a new ConfigMap).
enum WatchedPath {
    /// As the kernel (path_resolution(7)).
    private static let maxLinks = 40

    /// The folders, first the one that holds the last name. `readLink` gives the target of a symbolic link, nil for
    /// anything else; `current` is the working folder, for a relative path.
    static func folders(of path: String, current: String, readLink: (String) -> String?) -> [String] {
        var folders: [String] = []
        var rest = components(path.hasPrefix("/") ? path : current + "/" + path)
        var resolved: [String] = []
        var links = 0
        while !rest.isEmpty {
            let name = rest.removeFirst()
            if name == ".." {
                _ = resolved.popLast()
                continue
            }
            let folder = "/" + resolved.joined(separator: "/")
            let here = resolved.isEmpty ? "/" + name : folder + "/" + name
            if let target = readLink(here), links < maxLinks {
                links += 1
                if !folders.contains(folder) { folders.append(folder) }
                if target.hasPrefix("/") { resolved = [] }
                rest = components(target) + rest
                continue
            }
            if rest.isEmpty, !folders.contains(folder) { folders.append(folder) }
            resolved.append(name)
        }
        return folders
    }

    /// The folders of a path on this system.
    static func folders(of path: String) -> [String] {
        folders(of: path, current: currentFolder, readLink: readLink)
    }

    private static func components(_ path: String) -> [String] {
        path.split(separator: "/").map(String.init).filter { $0 != "." }
    }

    /// The working folder (getcwd(3)).
    static var currentFolder: String {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        return unsafe buffer.withUnsafeMutableBufferPointer { bytes in
            guard let name = unsafe getcwd(bytes.baseAddress, bytes.count) else { return "/" }
            return unsafe String(cString: name)
        }
    }

    private static func readLink(_ path: String) -> String? {
        var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let count = unsafe buffer.withUnsafeMutableBytes { bytes in
            let names = unsafe bytes.bindMemory(to: CChar.self)
            guard let start = names.baseAddress else { return -1 }
            return unsafe readlink(path, start, names.count)
        }
        return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : nil
    }
}
