// What the server may call. Numbers across are u32 and f64; what the functions work on lies in the regions.

export { adopt } from "./adopt";
export { extend, isInReach, settle } from "./expiry";
export { COOKIE, IMAGE, MESSAGE, PLAIN, QUERY, QUESTION, RECORD, SETUP } from "./memory";
export { rcode, read, zoneBytes } from "./message";
export { hasOpt, serverCookieBytes } from "./opt";
export { makeBare, seal } from "./record";
export {
  create,
  denialCount,
  evictedCount,
  evictedHits,
  find,
  hitsOf,
  imageBytes,
  insert,
  isUsed,
  open,
  peek,
  remove,
  rewrite,
  setHeartbeat,
  setState,
  takeOver,
  use,
  usedCount,
} from "./table";
