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
