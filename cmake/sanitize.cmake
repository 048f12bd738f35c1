# An instrumented build for `npm run test:sanitize` (test/sanitize): nothing in it is shipped, and nothing of LibTorch or
# Node is instrumented.
set(kernel_optimization -O3)
set(SENTENCE_TORCH_SANITIZE "" CACHE STRING "Empty, thread, or one or both of address and undefined, separated by commas")
if(NOT SENTENCE_TORCH_SANITIZE)
  return()
endif()
if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  message(FATAL_ERROR "sentence-torch: SENTENCE_TORCH_SANITIZE needs g++, not ${CMAKE_CXX_COMPILER_ID}.")
endif()

set(kernel_optimization -O1)
set(CMAKE_CXX_FLAGS_RELEASE "-O1 -g1 -DNDEBUG")
# Without vptr, which needs type information that LibTorch hides.
add_compile_options(-fsanitize=${SENTENCE_TORCH_SANITIZE} -fno-sanitize=vptr -fno-omit-frame-pointer)
add_link_options(-fsanitize=${SENTENCE_TORCH_SANITIZE})
if(SENTENCE_TORCH_SANITIZE MATCHES "undefined")
  # Not among GCC's undefined: a number that no integer of that type can hold, from a config for one.
  add_compile_options(-fsanitize=float-cast-overflow)
endif()
if(SENTENCE_TORCH_SANITIZE STREQUAL "thread")
  # LibTorch's headers use std::atomic_thread_fence, of which GCC then warns.
  add_compile_options(-Wno-tsan)
endif()
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY "${CMAKE_CURRENT_BINARY_DIR}/Release")
