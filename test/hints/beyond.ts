// Hints that no test can carry out, each with the reason.

export const beyondTests: Readonly<Record<string, string>> = {
  "in Python: safetensors.torch.save_file(model.state_dict(), path)": "needs Python with PyTorch",
  'in Python: safetensors.numpy.save_file({"x": array}, path)': "needs Python with NumPy",
  "in Python: read it with h5py, and save with safetensors": "needs Python with h5py",
  "in Python: save its weights with safetensors": "needs Python with ONNX",
  "save its weights with safetensors": "needs Python with Keras or TensorFlow",
  "in MATLAB: writematrix(x, path)": "needs MATLAB",
  "export the table as CSV": "needs a program that reads SQLite databases",
  "git lfs pull": "needs a repository on a server with Git LFS",
  "split the table into several files, or leave columns out": "needs a table of more than 512 MiB",
  "free some space, or write elsewhere": "needs a full disk",
  "cd to a folder that is there": "needs a process in a folder that was removed, which test/cli/process.test.ts starts",
  "a higher limit, ulimit -n …": "needs a process with a limit on open files, which test/cli/limits.test.ts starts",
  "a folder that can be written": "permissions do not hold for root, as whom tests may run",
  "this is a fault in kasane: please report it with the formula and the shapes": "a fault that there must not be",
  "this is a fault in kasane: please report it with the listing above": "a fault that there must not be",
  "use smaller batches, or fewer models at once": "needs more than 4 GiB of tensors",
  "use smaller batches or free memory on this machine": "needs a machine whose memory is full",
  "a higher limit of addresses (ulimit -v), or KASANE_BACKEND=reference, which is slow and needs little":
    "needs a process with a limit on addresses, which test/backends/out-of-memory.test.ts starts",
  "a higher limit (ulimit -v), or KASANE_BACKEND=reference, which is slow and needs little":
    "needs a process with a limit on addresses, which test/backends/out-of-memory.test.ts starts",
  "look at the await at its top level": "needs a process that has nothing left to do",
  "look at what it awaits": "needs a process that has nothing left to do, which test/cli/process.test.ts starts",
  "a .js or .mjs file; TypeScript needs Node 22.18 or newer": "depends on the version of Node, and tests read modules by another loader",
  "the command of the project's own copy, npx kasane: this one comes from another copy of kasane": "needs a second copy of the package",
  "smaller batches, fewer samples or a smaller model": "needs a machine whose memory is full",
  "…; where nothing in … explains it, please report it": "a fault that there must not be",
  "the wasm backend runs everywhere: KASANE_BACKEND=wasm": "needs another processor or system",
};
