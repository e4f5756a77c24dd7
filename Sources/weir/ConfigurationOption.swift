import CommandInterface
import Glibc
import WeirProxy

/// The option for the configuration file, of every command that reads it.
struct ConfigurationOption {
    private static let defaultPath = "/etc/weir/weir.yml"

    static let option = CommandOption(
        "config", short: "c", value: .file, "The configuration file (default: $WEIR_CONFIG, or \(defaultPath)).")

    /// The file: as given, or from the environment, or the default path.
    let path: String

    /// The file that was given, or where the others are.
    init(path: String?) {
        let named = Environment.all["WEIR_CONFIG"].flatMap { $0.isEmpty ? nil : $0 }
        self.path = path ?? named ?? Self.defaultPath
    }

    /// The file that the arguments name.
    init(_ arguments: Arguments) {
        self.init(path: arguments[Self.option.name])
    }

    /// The file itself.
    var file: ConfigurationFile { ConfigurationFile(path: path, environment: Environment.all) }

    /// Reads the file. Prints every finding to standard error; ends with 1 where there is an error.
    func load(tellsWarnings: Bool = true, tellsAdvice: Bool = false) throws(Failure) -> ConfigurationFile.Loaded {
        do throws(ConfigurationFile.Refusal) {
            let loaded = try file.load()
            if tellsWarnings { for warning in loaded.warnings { Console.error(warning) } }
            if tellsAdvice { for line in loaded.advice { Console.error(line) } }
            return loaded
        } catch {
            for line in error.lines { Console.error(line) }
            throw Failure()
        }
    }
}

/// The environment variables of the process, as they were at its start.
enum Environment {
    static let all: [String: String] = {
        var variables: [String: String] = [:]
        var entry = unsafe environ
        while let text = unsafe entry.pointee {
            let line = unsafe String(cString: text)
            let pair = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if pair.count == 2 { variables[String(pair[0])] = String(pair[1]) }
            unsafe entry += 1
        }
        return variables
    }()
}
