// CLOCK_MONOTONIC in milliseconds: the clock that client.so compares a record's times with.
export function nowMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}

/** CLOCK_REALTIME: somebody may set it. */
export function realMs(): number {
  return Date.now();
}
