// Functions of tensors beyond the methods.

export * from "./apply-op.ts";
export * from "./joining.ts";
export * from "./lookups.ts";
export * from "./normalizations.ts";
export * from "./pointwise.ts";
export * from "./products.ts";
export * from "./windows.ts";
