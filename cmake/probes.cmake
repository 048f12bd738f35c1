# What differs between the LibTorch versions that are supported, asked of the headers. Goes into core/features.h.
function(torch_has variable header pattern)
  set(found 0)
  if(EXISTS "${libtorch}/include/${header}")
    file(STRINGS "${libtorch}/include/${header}" lines REGEX "${pattern}" LIMIT_COUNT 1)
    if(lines)
      set(found 1)
    endif()
  endif()
  set(${variable} ${found} PARENT_SCOPE)
endfunction()

# addmm_out of bf16 factors into a float32 sum.
torch_has(ST_HAVE_ADDMM_DTYPE ATen/ops/addmm.h "addmm_out\\(.*ScalarType out_dtype")
# The random state of flash attention in one tensor of uint64 (2.7 and later).
torch_has(ST_HAVE_FLASH_RNG_STATE ATen/ops/_flash_attention_backward.h "Tensor rng_state, Tensor unused")

# c10d with Gloo, for training with several processes: LibTorch has its headers and its code, and none of Gloo's headers
# (native/gloo has declarations). Asked of the linker, since the headers are there without the code, too.
set(ST_HAVE_C10D 0)
if(EXISTS "${libtorch}/include/torch/csrc/distributed/c10d/ProcessGroupGloo.hpp")
  include(CheckCXXSourceCompiles)
  set(CMAKE_REQUIRED_LIBRARIES "${libtorch}/lib/libtorch_cpu${so}" "${libtorch}/lib/libc10${so}")
  if(NOT APPLE)
    set(CMAKE_REQUIRED_LINK_OPTIONS -Wl,--allow-shlib-undefined)
  endif()
  check_cxx_source_compiles("#include <memory>
    namespace gloo::transport { class Device; }
    namespace c10d { struct ProcessGroupGloo { static std::shared_ptr<gloo::transport::Device> createDefaultDevice(bool); }; }
    int main() { return c10d::ProcessGroupGloo::createDefaultDevice(false) == nullptr; }" LIBTORCH_HAS_GLOO)
  unset(CMAKE_REQUIRED_LIBRARIES)
  unset(CMAKE_REQUIRED_LINK_OPTIONS)
  if(LIBTORCH_HAS_GLOO)
    set(ST_HAVE_C10D 1)
  endif()
endif()

# c10d with NCCL, for GPUs. LibTorch has its headers, which need NCCL's own: options in them hold NCCL's, so it has to be that of the
# NCCL which LibTorch was built with. It lies beside the torch of a Python (package nvidia-nccl-cu*). Called with CUDA alone.
set(ST_HAVE_NCCL 0)
set(NCCL_INCLUDE "" CACHE PATH "The folder of nccl.h, if it is not beside LibTorch")
function(probe_nccl)
  if(NOT ST_HAVE_C10D OR NOT EXISTS "${libtorch}/include/torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp")
    return()
  endif()
  find_path(nccl_folder nccl.h NO_CACHE NO_DEFAULT_PATH
    PATHS "${NCCL_INCLUDE}" "${libtorch}/../nvidia/nccl/include" "${libtorch}/include")
  if(NOT nccl_folder)
    message(STATUS "NCCL: nccl.h was not found beside LibTorch (NCCL_INCLUDE names its folder). Training is for one GPU.")
    return()
  endif()
  include(CheckCXXSourceCompiles)
  set(CMAKE_REQUIRED_LIBRARIES "${libtorch}/lib/libtorch_cuda${so}")
  set(CMAKE_REQUIRED_LINK_OPTIONS -Wl,--allow-shlib-undefined)
  check_cxx_source_compiles("namespace c10d { struct ProcessGroupNCCL { void abort(); }; }
    int main() { static_cast<c10d::ProcessGroupNCCL*>(nullptr)->abort(); }" LIBTORCH_HAS_NCCL)
  if(LIBTORCH_HAS_NCCL)
    message(STATUS "NCCL: ${nccl_folder}/nccl.h")
    target_include_directories(torch_cuda SYSTEM INTERFACE "${nccl_folder}")
    set(ST_HAVE_NCCL 1 PARENT_SCOPE)
  endif()
endfunction()
