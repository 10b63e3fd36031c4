// File formats on bytes, for Node and browsers: re-exports only.

export type { ElementTypeName } from "./bytes.ts";
export type { SafetensorsFile, SafetensorsOptions, StoredData, StoredTensor, TensorToStore, WritableDtype } from "./safetensors.ts";
export { parseSafetensors, serializeSafetensors } from "./safetensors.ts";
