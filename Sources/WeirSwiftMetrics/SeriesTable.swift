import WeirMetrics

/// The key of a series: the name on the page, and its label values in the family's order.
struct SeriesKey: Hashable, Sendable {
    let name: String
    let labels: [String]
}

/// A handler of this module.
protocol BridgedHandler: AnyObject, Sendable {
    /// Its key in the table.
    var key: SeriesKey { get }
}

/// The descriptor that all series of one name share. The first metric of the name decides.
struct BridgedFamily {
    let instrument: Instrument
    let descriptor: MetricDescriptor
    let resolution: RegistryMetricsFactory.Resolution
}

/// The metrics of a factory by their names on the page. Confined to the factory's lock.
///
/// Bounded: handlers by the lines that the registry's page may have, names by
/// ``RegistryMetricsFactory/Options/maxNames``.
struct SeriesTable {
    private var families: [String: BridgedFamily] = [:]
    private var handlers: [SeriesKey: any BridgedHandler] = [:]

    /// The handler of that series; made by `register` where there is none.
    mutating func handler<Handler: BridgedHandler>(
        _ instrument: Instrument, _ label: String, _ dimensions: [(String, String)],
        _ options: RegistryMetricsFactory.Options,
        _ register: (BridgedFamily, SeriesKey) throws(RegistrationError) -> Handler
    ) throws(RegistryMetricsFactory.Refusal) -> Handler {
        let name = MetricNaming.name(label, of: instrument, prefix: options.prefix)
        let pairs = MetricNaming.labels(dimensions)
        let family: BridgedFamily
        if let known = families[name] {
            family = known
        } else {
            guard families.count < options.maxNames else {
                throw .tooManyNames(metric: name, limit: options.maxNames)
            }
            family = try options.family(name, instrument, label: label, labelNames: pairs.map(\.name))
        }
        guard family.instrument == instrument else { throw .anotherInstrument(metric: name) }
        let key = SeriesKey(name: name, labels: try values(pairs, family))
        if let known = handlers[key] as? Handler { return known }
        let handler: Handler
        do throws(RegistrationError) {
            handler = try register(family, key)
        } catch {
            // Where only the page was full the registry knows the name now, for good.
            if case .seriesLimitReached = error { families[name] = family }
            throw .registration(error)
        }
        families[name] = family
        handlers[key] = handler
        return handler
    }

    /// Drops a handler, where it is still the one that is handed out.
    mutating func forget(_ handler: any BridgedHandler) {
        if handlers[handler.key] === handler { handlers[handler.key] = nil }
    }

    /// Values in the family's order. One that is missing is empty, which is the same as none to Prometheus.
    private func values(
        _ pairs: [(name: String, value: String)], _ family: BridgedFamily
    ) throws(RegistryMetricsFactory.Refusal) -> [String] {
        let names = family.descriptor.labelNames
        if let unknown = pairs.first(where: { !names.contains($0.name) }) {
            throw .unknownDimension(metric: family.descriptor.name, dimension: unknown.name)
        }
        return names.map { name in pairs.first { $0.name == name }?.value ?? "" }
    }
}
