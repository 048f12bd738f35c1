# The CUDA kernels as C++, run by the native tests on the CPU (native/test/cuda_emulation). Not where nvcc compiles them, outside of
# Linux (the threads of a block are contexts of the C library), and under ThreadSanitizer, whose place it takes.
if(ST_WITH_CUDA OR NOT CMAKE_SYSTEM_NAME STREQUAL "Linux" OR SENTENCE_TORCH_SANITIZE STREQUAL "thread")
  return()
endif()
set(emulation ${CMAKE_CURRENT_SOURCE_DIR}/native/test/cuda_emulation)
file(GLOB emulation_sources CONFIGURE_DEPENDS ${emulation}/*.cpp)
target_sources(native_tests PRIVATE ${emulation_sources})
set_source_files_properties(${emulation_sources} PROPERTIES
  SKIP_PRECOMPILE_HEADERS ON
  INCLUDE_DIRECTORIES "${emulation};${CMAKE_CURRENT_SOURCE_DIR}/native/test")
set_property(SOURCE ${emulation}/kernels.cpp PROPERTY COMPILE_OPTIONS -Wno-unknown-pragmas)
if(NOT SENTENCE_TORCH_SANITIZE)
  # The compiler then tells emulation.cpp of each access to memory. ThreadSanitizer's library is not linked.
  set_property(SOURCE ${emulation}/kernels.cpp ${emulation}/faulty_kernels.cpp APPEND PROPERTY COMPILE_OPTIONS -fsanitize=thread)
endif()
