// What is downloaded when LibTorch is not there: exact versions, and SHA-256 of every file that could be hashed.

/** The LibTorch version that is downloaded. Others (see libtorch-folder.mjs) work when they are pre-placed. */
export const VERSION = '2.13.0'

/** Where the official zips lie; SENTENCE_TORCH_LIBTORCH_MIRROR replaces it. */
export const ZIP_BASE = 'https://download.pytorch.org/libtorch'

/**
 * Official zips per platform and variant. Where `sha256` is absent the file is trusted as far as TLS, its checksums and its
 * content (the version must be right) go, and its digest is printed and recorded; SENTENCE_TORCH_LIBTORCH_SHA256 pins it.
 * @type {Record<string, Record<string, { path: string, sha256?: string }>>}
 */
export const ZIPS = {
  'linux-x64': {
    cpu: { path: `cpu/libtorch-shared-with-deps-${VERSION}%2Bcpu.zip` },
    '13.0': { path: `cu130/libtorch-shared-with-deps-${VERSION}%2Bcu130.zip` },
  },
  'darwin-arm64': { cpu: { path: `cpu/libtorch-macos-arm64-${VERSION}.zip` } },
}

/**
 * Python wheels per platform, for the cpu variant. Those for Linux are CUDA builds: libtorch_cpu needs libcudart and libcupti
 * in any case (they are small), and nothing else of CUDA. Always the files for Python 3.11, whatever Python runs pip.
 * @typedef {{ requirement: string, file: string, sha256: string, bytes: number }} Wheel
 * @type {Record<string, { platforms: string[], wheels: Wheel[] }>}
 */
export const WHEELS = {
  'linux-x64': {
    platforms: ['manylinux_2_28_x86_64', 'manylinux_2_25_x86_64', 'manylinux_2_17_x86_64', 'manylinux2014_x86_64'],
    wheels: [
      {
        requirement: `torch==${VERSION}`,
        file: 'torch-2.13.0-cp311-cp311-manylinux_2_28_x86_64.whl',
        sha256: '60fcdcb2f3876e21146cb4524ef06397d727ca9ad5f020818547e25075fe3cb7',
        bytes: 526_574_961,
      },
      {
        requirement: 'nvidia-cuda-runtime==13.0.96',
        file: 'nvidia_cuda_runtime-13.0.96-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl',
        sha256: '7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548',
        bytes: 2_243_632,
      },
      {
        requirement: 'nvidia-cuda-cupti==13.0.85',
        file: 'nvidia_cuda_cupti-13.0.85-py3-none-manylinux_2_25_x86_64.whl',
        sha256: '4eb01c08e859bf924d222250d2e8f8b8ff6d3db4721288cf35d14252a4d933c8',
        bytes: 10_715_597,
      },
    ],
  },
  'linux-arm64': {
    platforms: ['manylinux_2_28_aarch64', 'manylinux_2_25_aarch64', 'manylinux_2_17_aarch64', 'manylinux2014_aarch64'],
    wheels: [
      {
        requirement: `torch==${VERSION}`,
        file: 'torch-2.13.0-cp311-cp311-manylinux_2_28_aarch64.whl',
        sha256: '092790c696a760c729fd5722835f50b9d81fd7c8f141571f3f3cf4081a8f664c',
        bytes: 427_199_369,
      },
      {
        requirement: 'nvidia-cuda-runtime==13.0.96',
        file: 'nvidia_cuda_runtime-13.0.96-py3-none-manylinux2014_aarch64.manylinux_2_17_aarch64.whl',
        sha256: 'ef9bcbe90493a2b9d810e43d249adb3d02e98dd30200d86607d8d02687c43f55',
        bytes: 2_261_060,
      },
      {
        requirement: 'nvidia-cuda-cupti==13.0.85',
        file: 'nvidia_cuda_cupti-13.0.85-py3-none-manylinux_2_25_aarch64.whl',
        sha256: '796bd679890ee55fb14a94629b698b6db54bcfd833d391d5e94017dd9d7d3151',
        bytes: 10_310_827,
      },
    ],
  },
  'darwin-arm64': {
    platforms: ['macosx_14_0_arm64'],
    wheels: [
      {
        requirement: `torch==${VERSION}`,
        file: 'torch-2.13.0-cp311-cp311-macosx_14_0_arm64.whl',
        sha256: 'e76f9bcecc52b8ff711239a2f7547d5353df95878ab232f0773c1d95928b92f8',
        bytes: 111_187_938,
      },
    ],
  },
}

/**
 * Which members of a wheel a cpu-only addon needs: libtorch_cpu, libc10 and what they link, headers, version, licences.
 * @param {string} name
 * @returns {boolean}
 */
export function neededFromWheel(name) {
  if (/^(torch\/include\/|torch\/share\/cmake\/Torch\/)/.test(name) || name === 'torch/version.py') return true
  if (/^[^/]+\.dist-info\/licenses\/(LICENSE|License\.txt|NOTICE)$/.test(name)) return true
  if (/^nvidia\/cu13\/lib\/lib(cudart|cupti)\.so\.\d+$/.test(name)) return true
  if (!/^torch\/lib\/lib[^/]+\.(so|dylib)(\.\d+)*$/.test(name)) return false
  return !/cuda|nvrtc|nvshmem|libshm|libtorch_python|libtorch_global_deps|libtorch\.(so|dylib)$/.test(name)
}
