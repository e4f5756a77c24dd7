# Weir in a container: the Swift library is linked in, so that the image holds plain Debian, eight libraries and one program.
#
#   docker build -t weir .                          with TLS, access rules by country, and routes from containers
#   docker build --build-arg TRAITS= -t weir .      without
FROM swift:6.3-bookworm AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends libcrypt-dev libcurl4-openssl-dev libmaxminddb-dev libssl-dev \
        libyaml-dev pkg-config zlib1g-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
ARG TRAITS=GeoIP,Docker,TLS
RUN swift build -c release --product weir --static-swift-stdlib ${TRAITS:+--traits "$TRAITS"} \
    && install -D -s "$(swift build -c release --show-bin-path)/weir" /out/weir \
    && stat -c 'weir: %s bytes, stripped' /out/weir

FROM debian:bookworm-slim
# All that the program is linked with besides glibc.
RUN apt-get update \
    && apt-get install -y --no-install-recommends libcrypt1 libcurl4 libgcc-s1 libmaxminddb0 libssl3 libstdc++6 \
        libyaml-0-2 zlib1g \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --system --gid 10001 weir \
    && useradd --system --uid 10001 --gid weir --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin weir
COPY --from=build /out/weir /usr/local/bin/weir
# A library that is missing fails the build, not the start.
RUN ["weir", "version"]

# Not root. Docker lets such a user bind ports below 1024 inside of the container (net.ipv4.ip_unprivileged_port_start is 0
# there); with host networking set that on the host, or add the capability NET_BIND_SERVICE. docs/containers.md says more.
USER 10001:10001
# The exporter. Which ports the routes take stands in /etc/weir/weir.yml.
EXPOSE 9847
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 CMD ["weir", "health"]
# Drains: see shutdown.drain_timeout, and give the container at least that long (stop_grace_period).
STOPSIGNAL SIGTERM
ENTRYPOINT ["weir"]
CMD ["run"]
