# The CUDA variant: nvcc, LibTorch's CUDA libraries and the CUDA runtime that they use. Included by CMakeLists.txt.
# CMake takes nvcc from CMAKE_CUDA_COMPILER, CUDACXX, PATH or /usr/local/cuda, in this order.

foreach(needed lib/libtorch_cuda${so} lib/libc10_cuda${so} include/c10/cuda/CUDAFunctions.h)
  if(NOT EXISTS "${libtorch}/${needed}")
    message(FATAL_ERROR "sentence-torch: ${libtorch} is no LibTorch for CUDA: it has no ${needed}. Use SENTENCE_TORCH_CUDA=cpu or "
      "a LibTorch built for CUDA ${SENTENCE_TORCH_CUDA}.")
  endif()
endforeach()

if(NOT CMAKE_CUDA_COMPILER AND DEFINED ENV{CUDACXX})
  find_program(CMAKE_CUDA_COMPILER "$ENV{CUDACXX}")
elseif(NOT CMAKE_CUDA_COMPILER)
  find_program(CMAKE_CUDA_COMPILER nvcc PATHS /usr/local/cuda/bin)
endif()
if(NOT CMAKE_CUDA_COMPILER)
  message(FATAL_ERROR "sentence-torch: the CUDA variant needs nvcc, which was found neither on PATH nor in /usr/local/cuda. Install the "
    "CUDA toolkit ${SENTENCE_TORCH_CUDA}, or name nvcc in CUDACXX, or use SENTENCE_TORCH_CUDA=cpu.")
endif()

# nvcc out of Python wheels has lib/ where it looks for lib64/.
get_filename_component(cuda_root "${CMAKE_CUDA_COMPILER}" REALPATH)
get_filename_component(cuda_root "${cuda_root}" DIRECTORY)
get_filename_component(cuda_root "${cuda_root}" DIRECTORY)
if(NOT EXISTS "${cuda_root}/lib64" AND EXISTS "${cuda_root}/lib/libcudart_static.a" AND NOT CMAKE_CUDA_FLAGS MATCHES "-L")
  set(CMAKE_CUDA_FLAGS "${CMAKE_CUDA_FLAGS} -L${cuda_root}/lib")
endif()

# Machine code for the cards that matter, and PTX of the newest for those to come.
set(CMAKE_CUDA_ARCHITECTURES "80-real;90" CACHE STRING "Compute capabilities to compile for")
set(CMAKE_CUDA_HOST_COMPILER "${CMAKE_CXX_COMPILER}" CACHE FILEPATH "The compiler behind nvcc")
# Not a second, static CUDA runtime beside the one that LibTorch loads.
set(CMAKE_CUDA_RUNTIME_LIBRARY None)
set(CMAKE_CUDA_VISIBILITY_PRESET hidden)
enable_language(CUDA)
# What some versions of CMake do not know of nvcc: C++20, which the standard of C++ asks of CUDA too.
if(NOT DEFINED CMAKE_CUDA20_STANDARD_COMPILE_OPTION)
  set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION "-std=c++20")
  set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION "-std=c++20")
endif()
set(CMAKE_CUDA_STANDARD 20)
string(REGEX MATCH "^[0-9]+" nvcc_major "${CMAKE_CUDA_COMPILER_VERSION}")
if(NOT SENTENCE_TORCH_CUDA MATCHES "^${nvcc_major}\\.")
  message(FATAL_ERROR "sentence-torch: nvcc ${CMAKE_CUDA_COMPILER_VERSION} (${CMAKE_CUDA_COMPILER}), but LibTorch is built for CUDA "
    "${SENTENCE_TORCH_CUDA}: another major version. Name the right nvcc in CUDACXX.")
endif()
set(ST_WITH_CUDA 1)
set(ST_CUDA_VERSION "${SENTENCE_TORCH_CUDA}")
message(STATUS "CUDA ${CMAKE_CUDA_COMPILER_VERSION}: ${CMAKE_CUDA_COMPILER}, for ${CMAKE_CUDA_ARCHITECTURES}")

# libcudart by path: wheels have no libcudart.so without a version.
file(GLOB cudart "${libtorch}/../nvidia/cu*/lib/libcudart.so.*" "${libtorch}/../nvidia/cuda_runtime/lib/libcudart.so.*"
  "${libtorch}/lib/libcudart*.so*" "${cuda_root}/lib64/libcudart.so" "${cuda_root}/lib/libcudart.so*"
  "${cuda_root}/targets/*/lib/libcudart.so")
if(NOT cudart)
  message(FATAL_ERROR "sentence-torch: libcudart was found neither beside ${libtorch} nor in ${cuda_root}")
endif()
list(GET cudart 0 cudart)

add_library(torch_cuda INTERFACE)
target_include_directories(torch_cuda SYSTEM INTERFACE ${CMAKE_CUDA_TOOLKIT_INCLUDE_DIRECTORIES})
# Needed even where no symbol of it is used: it registers LibTorch's CUDA kernels when it is loaded.
target_link_libraries(torch_cuda INTERFACE
  -Wl,--push-state,--no-as-needed "${libtorch}/lib/libtorch_cuda${so}" "${libtorch}/lib/libc10_cuda${so}" -Wl,--pop-state "${cudart}")
probe_nccl()
