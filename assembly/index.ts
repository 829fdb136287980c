// What the server may call. Numbers across are u32 and f64; what the functions work on lies in the regions.

export { adopt } from "./adopt";
export { settle } from "./expiry";
export { IMAGE, MESSAGE, QUERY, QUESTION, RECORD, SETUP } from "./memory";
export { read } from "./message";
export { makeBare, seal } from "./record";
export {
  create,
  evictedCount,
  find,
  hitsOf,
  imageBytes,
  insert,
  remove,
  setHeartbeat,
  setState,
  takeOver,
  use,
  usedCount,
} from "./table";
