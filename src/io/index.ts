// File formats on bytes, for Node and browsers: re-exports only.

export type { ElementTypeName, StoredData } from "./bytes.ts";
export type {
  SafetensorsFile,
  SafetensorsMetadata,
  SafetensorsOptions,
  StoredTensor,
  TensorToStore,
  WritableDtype,
} from "./safetensors.ts";
export { parseSafetensors, serializeSafetensors } from "./safetensors.ts";
