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
 * The wheels of LibTorch for CUDA: torch with the libraries of NVIDIA that libtorch_cuda needs, or opens later. Where they are
 * unpacked they find each other by torch's RPATH.
 */
export const CUDA_WHEELS = {
  variant: '13.0',
  platforms: [28, 27, 26, 25, 24, 18, 17, 12]
    .map((glibc) => `manylinux_2_${glibc}_x86_64`)
    .concat('manylinux2014_x86_64', 'manylinux2010_x86_64'),
  /** What is left of them, unpacked. */
  unpackedBytes: 3_530_000_000,
  /** @type {Wheel[]} */
  wheels: [
    {
      requirement: `torch==${VERSION}`,
      file: 'torch-2.13.0-cp311-cp311-manylinux_2_28_x86_64.whl',
      sha256: '60fcdcb2f3876e21146cb4524ef06397d727ca9ad5f020818547e25075fe3cb7',
      bytes: 526_574_961,
    },
    {
      requirement: 'nvidia-cublas==13.1.1.3',
      file: 'nvidia_cublas-13.1.1.3-py3-none-manylinux_2_27_x86_64.whl',
      sha256: '37936a16db8fe4ac1f065c2139360608a543a09275cb1a1af612e08cfa065436',
      bytes: 423_138_758,
    },
    {
      requirement: 'nvidia-cuda-cupti==13.0.85',
      file: 'nvidia_cuda_cupti-13.0.85-py3-none-manylinux_2_25_x86_64.whl',
      sha256: '4eb01c08e859bf924d222250d2e8f8b8ff6d3db4721288cf35d14252a4d933c8',
      bytes: 10_715_597,
    },
    {
      requirement: 'nvidia-cuda-nvrtc==13.0.88',
      file: 'nvidia_cuda_nvrtc-13.0.88-py3-none-manylinux2010_x86_64.manylinux_2_12_x86_64.whl',
      sha256: 'ad9b6d2ead2435f11cbb6868809d2adeeee302e9bb94bcf0539c7a40d80e8575',
      bytes: 90_215_200,
    },
    {
      requirement: 'nvidia-cuda-runtime==13.0.96',
      file: 'nvidia_cuda_runtime-13.0.96-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl',
      sha256: '7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548',
      bytes: 2_243_632,
    },
    {
      requirement: 'nvidia-cudnn-cu13==9.20.0.48',
      file: 'nvidia_cudnn_cu13-9.20.0.48-py3-none-manylinux_2_27_x86_64.whl',
      sha256: '0c45dd8eeb50b603f07995b1b300c62ffe6a1980482b82b3bcf94a4ca9d49304',
      bytes: 366_173_588,
    },
    {
      requirement: 'nvidia-cufft==12.0.0.61',
      file: 'nvidia_cufft-12.0.0.61-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl',
      sha256: '6c44f692dce8fd5ffd3e3df134b6cdb9c2f72d99cf40b62c32dde45eea9ddad3',
      bytes: 214_085_489,
    },
    {
      requirement: 'nvidia-cufile==1.15.1.6',
      file: 'nvidia_cufile-1.15.1.6-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl',
      sha256: '08a3ecefae5a01c7f5117351c64f17c7c62efa5fffdbe24fc7d298da19cd0b44',
      bytes: 1_223_672,
    },
    {
      requirement: 'nvidia-curand==10.4.0.35',
      file: 'nvidia_curand-10.4.0.35-py3-none-manylinux_2_27_x86_64.whl',
      sha256: '1aee33a5da6e1db083fe2b90082def8915f30f3248d5896bcec36a579d941bfc',
      bytes: 59_544_258,
    },
    {
      requirement: 'nvidia-cusolver==12.0.4.66',
      file: 'nvidia_cusolver-12.0.4.66-py3-none-manylinux_2_27_x86_64.whl',
      sha256: '0a759da5dea5c0ea10fd307de75cdeb59e7ea4fcb8add0924859b944babf1112',
      bytes: 200_941_980,
    },
    {
      requirement: 'nvidia-cusparse==12.6.3.3',
      file: 'nvidia_cusparse-12.6.3.3-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl',
      sha256: '2b3c89c88d01ee0e477cb7f82ef60a11a4bcd57b6b87c33f789350b59759360b',
      bytes: 145_942_937,
    },
    {
      requirement: 'nvidia-cusparselt-cu13==0.8.1',
      file: 'nvidia_cusparselt_cu13-0.8.1-py3-none-manylinux2014_x86_64.whl',
      sha256: '786ce87568c303fadb5afcc7102d454cd3040d75f6f8626f5db460d1871f4dd0',
      bytes: 170_148_586,
    },
    {
      requirement: 'nvidia-nccl-cu13==2.29.7',
      file: 'nvidia_nccl_cu13-2.29.7-py3-none-manylinux_2_18_x86_64.whl',
      sha256: 'edd81538446786ec3b73972543e53bb43bcaf0bfc8ef76cb679fcc390ffe136d',
      bytes: 205_976_000,
    },
    {
      requirement: 'nvidia-nvjitlink==13.5.37',
      file: 'nvidia_nvjitlink-13.5.37-py3-none-manylinux2010_x86_64.manylinux_2_12_x86_64.whl',
      sha256: '280d7cb9649704145f074b8dbde500de04ce02d0872e066e20a83c17bcaa93eb',
      bytes: 46_642_491,
    },
    {
      requirement: 'nvidia-nvshmem-cu13==3.4.5',
      file: 'nvidia_nvshmem_cu13-3.4.5-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl',
      sha256: '290f0a2ee94c9f3687a02502f3b9299a9f9fe826e6d0287ee18482e78d495b80',
      bytes: 60_412_546,
    },
  ],
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

/**
 * Which members of the wheels an addon for CUDA needs at run time: libtorch_cuda, what it links and opens, licences. No headers.
 * @param {string} name
 * @returns {boolean}
 */
export function neededForCuda(name) {
  if (/^[^/]+\.dist-info\/licenses\/(LICENSE|License\.txt|NOTICE)$/.test(name) || name === 'torch/version.py')
    return true
  if (/^nvidia\/cusparselt\/LICENSE(\.txt)?$/.test(name)) return true
  if (/^nvidia\/[^/]+\/lib\/lib[^/]+\.so(\.\d+)*$/.test(name))
    return !/cufftw|cusolverMg|nvblas|nvperf|\.alt\.|nvtx|pcsampling|checkpoint|cufile_rdma/.test(name)
  if (!/^torch\/lib\/lib[^/]+\.so(\.\d+)*$/.test(name)) return false
  return !/libshm|libtorch_python|libtorch_global_deps|libtorch\.so$/.test(name)
}
