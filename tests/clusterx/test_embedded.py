from clusterx.embedded.layout import LONGEST_SOCKET_FOLDER, Layout


def test_a_long_project_path_moves_the_sockets_to_the_temporary_folder(tmp_path):
    deep = tmp_path / ("x" * 100)
    assert len(str(Layout(deep).sockets)) <= LONGEST_SOCKET_FOLDER
    assert Layout(deep).sockets != Layout(tmp_path / ("y" * 100)).sockets
