// Whether the host allows something without asking the user: Deno would stop and prompt.

type Wish =
  | { readonly name: "env"; readonly variable: string }
  | { readonly name: "sys"; readonly kind: "hostname" }
  | { readonly name: "ffi" };

interface Host {
  readonly Deno?: { readonly permissions?: { querySync(wish: Wish): { readonly state: string } } };
}

/** True wherever nobody is asked. What only helps is left out rather than asked for. */
export function isAllowed(wish: Wish): boolean {
  const { permissions } = (globalThis as Host).Deno ?? {};
  return permissions === undefined || permissions.querySync(wish).state.startsWith("granted");
}
