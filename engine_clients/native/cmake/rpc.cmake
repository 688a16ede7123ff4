# gRPC, protobuf, ZeroMQ and libjpeg-turbo: from vcpkg by their CMake packages, from a distribution
# by pkg-config (Debian's gRPC ships CMake files that want exact versions of everything).
set(AVATAR_PROTO_DIR ${CMAKE_CURRENT_SOURCE_DIR}/../../protos)
set(AVATAR_GEN_DIR ${CMAKE_CURRENT_BINARY_DIR}/gen)
file(MAKE_DIRECTORY ${AVATAR_GEN_DIR})

if(DEFINED VCPKG_TARGET_TRIPLET)
  find_package(gRPC CONFIG REQUIRED)
  find_package(protobuf CONFIG REQUIRED)
  find_package(ZeroMQ CONFIG REQUIRED)
  find_package(libjpeg-turbo CONFIG REQUIRED)
  set(AVATAR_PROTOC $<TARGET_FILE:protobuf::protoc>)
  set(AVATAR_GRPC_PLUGIN $<TARGET_FILE:gRPC::grpc_cpp_plugin>)
  set(AVATAR_RPC_LIBRARIES gRPC::grpc++ protobuf::libprotobuf libzmq-static
      libjpeg-turbo::turbojpeg-static)
else()
  find_package(PkgConfig REQUIRED)
  pkg_check_modules(AVATAR_RPC REQUIRED IMPORTED_TARGET grpc++ protobuf libzmq libturbojpeg)
  find_program(AVATAR_PROTOC protoc REQUIRED)
  find_program(AVATAR_GRPC_PLUGIN grpc_cpp_plugin REQUIRED)
  set(AVATAR_RPC_LIBRARIES PkgConfig::AVATAR_RPC)
endif()

file(GLOB AVATAR_PROTOS CONFIGURE_DEPENDS ${AVATAR_PROTO_DIR}/avatar/v1/*.proto)
set(AVATAR_GEN_SOURCES)
foreach(proto IN LISTS AVATAR_PROTOS)
  get_filename_component(name ${proto} NAME_WE)
  # The headers too: else what includes them is rebuilt one build late.
  set(generated ${AVATAR_GEN_DIR}/avatar/v1/${name}.pb.cc ${AVATAR_GEN_DIR}/avatar/v1/${name}.pb.h)
  set(options --cpp_out=${AVATAR_GEN_DIR})
  if(name STREQUAL "avatar_service")
    list(APPEND generated ${AVATAR_GEN_DIR}/avatar/v1/${name}.grpc.pb.cc
         ${AVATAR_GEN_DIR}/avatar/v1/${name}.grpc.pb.h)
    list(APPEND options --grpc_out=${AVATAR_GEN_DIR}
         --plugin=protoc-gen-grpc=${AVATAR_GRPC_PLUGIN})
  endif()
  add_custom_command(OUTPUT ${generated}
    COMMAND ${AVATAR_PROTOC} -I ${AVATAR_PROTO_DIR} ${options} ${proto}
    DEPENDS ${AVATAR_PROTOS} VERBATIM)
  list(APPEND AVATAR_GEN_SOURCES ${generated})
endforeach()
set(details ${CMAKE_CURRENT_SOURCE_DIR}/proto/status_details.proto)
add_custom_command(
  OUTPUT ${AVATAR_GEN_DIR}/status_details.pb.cc ${AVATAR_GEN_DIR}/status_details.pb.h
  COMMAND ${AVATAR_PROTOC} -I ${CMAKE_CURRENT_SOURCE_DIR}/proto --cpp_out=${AVATAR_GEN_DIR}
          ${details}
  DEPENDS ${details} VERBATIM)
list(APPEND AVATAR_GEN_SOURCES
  ${AVATAR_GEN_DIR}/status_details.pb.cc ${AVATAR_GEN_DIR}/status_details.pb.h)

# Apart from the core: generated code has warnings of its own.
add_library(avatar_protos STATIC ${AVATAR_GEN_SOURCES})
target_include_directories(avatar_protos SYSTEM PUBLIC ${AVATAR_GEN_DIR})
target_link_libraries(avatar_protos PUBLIC ${AVATAR_RPC_LIBRARIES})

target_sources(avatar_core PRIVATE
  src/abi_client.cpp src/abi_session.cpp src/convert.cpp src/jpeg.cpp src/rpc_client.cpp
  src/rpc_status.cpp src/session.cpp src/session_data.cpp src/session_events.cpp
  src/session_link.cpp src/session_read.cpp src/zmq_source.cpp)
target_compile_definitions(avatar_core PUBLIC AVATAR_WITH_GRPC)
target_link_libraries(avatar_core PUBLIC avatar_protos)

include(cmake/h264.cmake)
