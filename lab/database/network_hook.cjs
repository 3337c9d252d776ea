/**
 * Loaded by `node --require` into the lab's functions: connections to `*.rds.amazonaws.com` take
 * the way that was deployed.
 *
 * The lab is asked where a name should resolve, and answers as a network does: with the local port
 * that stands for the endpoint, with nothing (a missing route: the connection attempt hangs), with
 * a refused connection, or that there is no such name. The host name that TLS checks stays.
 *
 * Load balancers' public names lead to the lab: an HTTPS listener to its own port, every other one
 * to the lab's, which serves it by the request's host.
 */
"use strict";

const fs = require("node:fs");
const net = require("node:net");

const ENDPOINT = /\.rds\.amazonaws\.com$/i;
const BALANCER = /\.elb\.amazonaws\.com$/i;
const LOCAL = "127.0.0.1";
const HTTPS = 443;
const CLOSED_PORT = 1;
const connect = net.Socket.prototype.connect;

function failure(code, syscall, host) {
  return Object.assign(new Error(`${syscall} ${code} ${host}`), { code, syscall, hostname: host });
}

/** Calls back with what the lab says about `host`, asked anew for each connection. */
function ask(map, host, callback) {
  const socket = new net.Socket();
  let text = "";
  let done = false;
  const end = (error, answer) => {
    if (done) return;
    done = true;
    socket.destroy();
    callback(error, answer);
  };
  socket.on("error", (error) => end(error));
  socket.on("data", (chunk) => {
    text += chunk;
    if (text.includes("\n")) end(null, JSON.parse(text));
  });
  socket.on("close", () => end(failure("ETIMEOUT", "getaddrinfo", host)));
  connect.call(socket, { host: LOCAL, port: map.resolver }, () => {
    const question = {
      region: process.env.LAB_REGION,
      function: process.env.AWS_LAMBDA_FUNCTION_NAME || null,
      host,
    };
    socket.write(`${JSON.stringify(question)}\n`);
  });
}

/** A connection attempt keeps a process alive; without one to wait for, this does. */
function hang(socket) {
  const holding = setInterval(() => {}, 3_600_000);
  socket.once("close", () => clearInterval(holding));
}

function lookupThrough(map, host, socket) {
  return (_name, options, callback) => {
    ask(map, host, (error, answer) => {
      if (error) return callback(error);
      switch (answer.action) {
        case "drop":
          return hang(socket); // no answer, ever: the caller's own timeout ends it
        case "refuse":
          return callback(failure("ECONNREFUSED", "connect", host));
        case "unknown":
          return callback(failure("ENOTFOUND", "getaddrinfo", host));
        default:
          return options && options.all
            ? callback(null, [{ address: LOCAL, family: 4 }])
            : callback(null, LOCAL, 4);
      }
    });
  };
}

/** Where a load balancer's listener is on this machine; nothing listens there for a 443 without TLS. */
function balancerPort(host, port) {
  const listeners = JSON.parse(fs.readFileSync(process.env.LAB_LOAD_BALANCERS, "utf8"));
  const tls = listeners[host.toLowerCase()]?.[port];
  return tls ?? (Number(port) === HTTPS ? CLOSED_PORT : Number(process.env.LAB_PORT));
}

net.Socket.prototype.connect = function labConnect(...given) {
  const [options, listener] = Array.isArray(given[0]) ? given[0] : net._normalizeArgs(given);
  if (process.env.LAB_PORT && BALANCER.test(options?.host ?? "")) {
    const port = balancerPort(options.host, options.port);
    const lab = { ...options, host: LOCAL, port, lookup: undefined };
    return listener ? connect.call(this, lab, listener) : connect.call(this, lab);
  }
  if (options === null || typeof options !== "object" || !ENDPOINT.test(options.host ?? "")) {
    return connect.apply(this, given);
  }
  const map = JSON.parse(fs.readFileSync(process.env.LAB_NETWORK_MAP, "utf8"));
  const host = options.host.toLowerCase();
  const proxies = map.proxies[process.env.LAB_REGION] ?? {};
  const through = {
    ...options,
    // A name without a proxy never gets past the lookup; the port only has to be valid.
    port: proxies[host] ?? options.port,
    lookup: lookupThrough(map, host, this),
    autoSelectFamily: false,
  };
  return listener ? connect.call(this, through, listener) : connect.call(this, through);
};
